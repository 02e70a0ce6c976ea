using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;
using Wisca.Cli.CommandLine;
using Wisca.Commands.CommandLine;
using Wisca.Comparison.Reports;
using Wisca.Comparison.Results;
using Wisca.Comparison.Running;
using Wisca.Comparison.Scoring;
using Wisca.Comparison.Studies;
using Wisca.Reporting;
using Wisca.Settings;

namespace Wisca.Cli.Verbs;

/// <summary><c>wisca compare</c>: runs a paired experiment and says what it shows.</summary>
internal static class CompareVerb
{
    // Runs failed: there may be results, but not all.
    private const int Incomplete = 2, Interrupted = 1;

    public static Command Create(CommandContext context)
    {
        var config = new Option<string?>("--config", "-c")
        {
            Description = "The study, as YAML; configs/compare/ has examples.",
            HelpName = "FILE",
        };
        var set = new Option<string[]>("--set")
        {
            Description = "A setting that wins over the file: training.steps=100, seeds=[1,2]. May be given several times.",
            HelpName = "KEY=VALUE",
            AllowMultipleArgumentsPerToken = true,
        };
        var workers = SharedOptions.Number(
            "--workers", "Number of runs at a time (default: the study's, or as many as there are cores for).", "N", 1, 1024);
        var shard = new Option<string?>("--shard")
        {
            Description = "Run one part of several, as for machines that share a study: 1/3, 2/3, 3/3.",
            HelpName = "I/N",
        };
        var dry = new Option<bool>("--dry-run") { Description = "Print the runs and what they cost, and run nothing." };
        var merge = new Option<string[]>("--merge")
        {
            Description = "Take over the finished runs of other machines' folders, summarise, and run nothing.",
            HelpName = "DIR",
            AllowMultipleArgumentsPerToken = true,
        };
        var summary = new Option<bool>("--summary") { Description = "Summarise what is finished, and run nothing." };
        var score = new Option<bool>("--score") { Description = "Score the models of finished runs, summarise, and run nothing." };
        var clock = new Option<bool>("--clock")
        {
            Description = "Print what a step of each arm costs, from finished runs, for a grid's costs, and run nothing.",
        };
        var power = new Option<string[]>("--power")
        {
            Description = "Say how many seeds a study needs, from the scatter of finished ones in these folders, and run nothing.",
            HelpName = "DIR",
            AllowMultipleArgumentsPerToken = true,
        };
        var arms = new Option<string[]>("--arms")
        {
            Description = "With --power: only the scatter of these arms.",
            HelpName = "NAME",
            AllowMultipleArgumentsPerToken = true,
        };
        var effect = SharedOptions.Number("--effect", "With --power: the change of perplexity to show, in percent.", "PERCENT", 0.01, 99);
        effect.DefaultValueFactory = _ => 5;
        var comparisons = SharedOptions.Number(
            "--comparisons", "With --power: the number of comparisons that Holm's adjustment is for.", "N", 1, 1000);
        comparisons.DefaultValueFactory = _ => 1;
        var print = new Option<bool>("--print-config")
        {
            Description = "Print the study's configuration with every key explained, and run nothing.",
        };
        var json = SharedOptions.Json();
        var command = new Command("compare", "Run a paired experiment: arms, models, seeds, learning rates, and statistics.")
        {
            config, set, workers, shard, dry, merge, summary, score, clock, power, arms, effect, comparisons, print, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            string? file = parsed.GetValue(config);
            string[] overrides = parsed.GetValue(set) ?? [];
            if (parsed.GetValue(print))
            {
                context.StandardOutput.Write(SettingsWriter.Write(SettingsReader.Load<StudyConfig>(file, overrides), commented: true));
                return 0;
            }

            if (parsed.GetValue(power) is { Length: > 0 } studies)
            {
                PowerTable.Print(
                    context, studies, parsed.GetValue(arms) ?? [], parsed.GetValue(effect), parsed.GetValue(comparisons),
                    parsed.GetValue(json));
                return 0;
            }

            foreach (var other in (Option[])[arms, effect, comparisons])
            {
                if (parsed.GetResult(other) is { Implicit: false })
                    throw new UsageException($"{other.Name} is given without --power, expected the folders of finished studies");
            }

            if (file is null) throw new UsageException("--config is missing: it names the study");
            var part = Part(parsed.GetValue(shard));
            var study = Study.Load(file, overrides);
            using var folder = new StudyFolder(study.Config.Output);
            if (parsed.GetValue(clock)) return Clock(context, study, folder, parsed.GetValue(json));
            if (parsed.GetValue(dry)) return DryRun(context, study, folder, part, parsed.GetValue(json));
            string[] others = parsed.GetValue(merge) ?? [];
            bool scores = parsed.GetValue(score);
            if (others.Length > 0 || scores) folder.Lock();
            foreach (string other in others)
            {
                var (taken, refused) = study.Merge(folder, other);
                context.Error.Profile.Out.Writer.WriteLine($"{Format.Count(taken, "run")} taken over from {other}");
                foreach (var (path, reason) in refused) context.Error.Profile.Out.Writer.WriteLine($"not taken over: {path}: {reason}");
            }

            if (scores)
            {
                using var console = new StudyConsole(context.Error);
                new StudyScorer(study, folder, console).Run(Environment.ProcessorCount, cancellation);
            }

            bool runs = others.Length == 0 && !scores && !parsed.GetValue(summary);
            return Run(
                context, study, folder, new RunnerOptions(Worker()) { Workers = parsed.GetValue(workers), Shard = part }, runs,
                parsed.GetValue(json), cancellation);
        }));
        return command;
    }

    private static int Run(
        CommandContext context, Study study, StudyFolder folder, RunnerOptions options, bool runs, bool json,
        CancellationToken cancellation)
    {
        StudyOutcome? outcome = null;
        if (runs) study.CheckRuns();
        foreach (var (path, reason) in study.ResultsIn(folder).Refused)
            context.Error.Profile.Out.Writer.WriteLine($"not used: {path}: {reason}{(runs ? "; the run is made again" : "")}");
        if (runs)
        {
            folder.Join();
            using var console = new StudyConsole(context.Error);
            var scorer = new StudyScorer(study, folder, console);
            outcome = new StudyRunner(study, folder, options, console).Run(cancellation);

            // A part of a study does not know which learning rates are best.
            if (!outcome.Interrupted && options.Shard.Parts == 1) outcome = Score(scorer, outcome, cancellation);
        }

        var results = study.ResultsIn(folder).ById;
        var failures = study.Plan(results).Runs.Select(run => run.Id).Distinct().Select(folder.FindFailure).OfType<RunFailure>().ToList();
        var report = StudyStatistics.Of(study, results, failures);
        StudyFolder.Write(folder.ReportPath, report);
        StudyPages.Write(report, results, folder.PagePath, folder.MarkdownPath);
        if (json) context.StandardOutput.WriteLine(File.ReadAllText(folder.ReportPath).TrimEnd());
        else Print(context, report, folder);
        if (outcome?.Interrupted == true)
        {
            context.Error.Profile.Out.Writer.WriteLine(
                $"interrupted after {report.Finished} of {report.Runs} runs: the same command goes on from here");
            return Interrupted;
        }

        return runs && (outcome!.Failures.Count > 0 || failures.Count > 0) ? Incomplete : 0;
    }

    private static StudyOutcome Score(StudyScorer scorer, StudyOutcome outcome, CancellationToken cancellation)
    {
        try
        {
            scorer.Run(Environment.ProcessorCount, cancellation);
            return outcome;
        }
        catch (OperationCanceledException)
        {
            return outcome with { Interrupted = true };
        }
    }

    private static void Print(CommandContext context, StudyReport report, StudyFolder folder)
    {
        foreach (var model in report.Models)
        {
            var table = new Table().Border(TableBorder.Simple).Title($"{model.Regime}: {model.Name}".EscapeMarkup()).AddColumn("arm");
            foreach (string header in (string[])["best rate", "seeds", "test loss", "perplexity", "change of perplexity", "Holm's p"])
                table.AddColumn(new TableColumn(header).RightAligned());
            table.AddColumn("shows");
            foreach (var arm in model.Arms)
            {
                table.AddRow(
                    arm.Name.EscapeMarkup(),
                    StudyFormat.Rate(arm.BestLearningRate),
                    $"{arm.Runs.Count(run => run.LearningRate == arm.BestLearningRate)}",
                    StudyFormat.Loss(arm.TestLoss),
                    StudyFormat.Perplexity(arm.Perplexity),
                    arm.AtBest is null ? "" : StudyFormat.Change(arm.AtBest).EscapeMarkup(),
                    arm.AtBest is null ? "" : StudyFormat.Probability(arm.AtBest.HolmPValue),
                    StudyFormat.Words(arm.AtBest));
            }

            context.Out.Write(table);
        }

        foreach (string verdict in report.Verdicts) context.Out.WriteLine(verdict);
        foreach (var failure in report.Failures) context.Out.WriteLine($"failed: {failure.Label}: {failure.Reason}");
        context.Out.WriteLine($"{report.Finished} of {report.Runs} runs; report {folder.PagePath}, data {folder.ReportPath}");
    }

    private static int DryRun(CommandContext context, Study study, StudyFolder folder, (int Part, int Parts) shard, bool json)
    {
        var checks = study.CheckRuns();
        var results = study.ResultsIn(folder).ById;
        var plan = study.Plan(results);
        var costs = CostEstimate.Of(study, plan.Runs.Where(run => StudyRunner.IsIn(run, shard)), checks, results);
        var left = costs.Where(cost => !cost.Finished).ToList();
        double flops = left.Sum(cost => cost.Flops);
        var time = TimeSpan.FromSeconds(left.Sum(cost => cost.Time.TotalSeconds));
        string assumed = left.All(cost => cost.Measured) ? "as measured of finished runs"
            : $"{(left.Any(cost => cost.Measured) ? "as measured of finished runs, and else " : "")}at "
                + $"{(CostEstimate.AssumedFlops / 1e9).ToString(CultureInfo.InvariantCulture)} GFLOP/s a thread, which is assumed";
        if (json)
        {
            context.WriteJson(new JsonObject
            {
                ["runs"] = new JsonArray([.. costs.Select(cost => (JsonNode?)new JsonObject
                {
                    ["id"] = cost.Run.Id, ["regime"] = cost.Run.Regime, ["model"] = cost.Run.Model, ["arm"] = cost.Run.Arm,
                    ["seed"] = cost.Run.Seed, ["learning_rate"] = cost.Run.LearningRate,
                    ["tokens"] = cost.Tokens,
                    ["flops"] = cost.Flops,
                    ["seconds"] = Math.Round(cost.Time.TotalSeconds, 1),
                    ["measured"] = cost.Measured,
                    ["finished"] = cost.Finished,
                })]),
                ["waiting"] = Format.Json(plan.Waiting),
                ["seconds_of_one_worker"] = Math.Round(time.TotalSeconds, 1),
            });
            return 0;
        }

        var table = new Table().Border(TableBorder.Simple).AddColumns("run", "id");
        foreach (string header in (string[])["tokens", "FLOPs", "time"]) table.AddColumn(new TableColumn(header).RightAligned());
        foreach (var cost in costs)
            table.AddRow(
                cost.Run.Label.EscapeMarkup(), cost.Run.Id, Format.Count(cost.Tokens),
                cost.Flops.ToString("0.0e+0", CultureInfo.InvariantCulture), cost.Finished ? "finished" : TrainingConsole.Span(cost.Time));
        context.Out.Write(table);
        foreach (string waiting in plan.Waiting) context.Out.WriteLine(waiting);
        context.Out.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{Format.Count(costs.Count, "run")}, {left.Count} to run: {flops:0.0e+0} FLOPs, {TrainingConsole.Span(time)} with one "
                + $"worker of {Format.Count(study.Config.Threads, "thread")}, {assumed}"));
        return 0;
    }

    private static int Clock(CommandContext context, Study study, StudyFolder folder, bool json)
    {
        var costs = StepCost.Of(study, study.ResultsIn(folder).ById);
        if (costs.Count == 0)
            throw new WiscaException(
                $"{folder.FullPath} has no pair of runs of an arm and the baseline that were timed, expected one",
                "run the study first; runs that were interrupted, and those of earlier versions, have no time of processors");
        if (json)
        {
            context.WriteJson(new JsonArray([.. costs.Select(cost => (JsonNode?)new JsonObject
            {
                ["regime"] = cost.Regime, ["model"] = cost.Model, ["arm"] = cost.Arm, ["cost"] = Math.Round(cost.Cost, 4),
                ["least"] = Math.Round(cost.Least, 4), ["greatest"] = Math.Round(cost.Greatest, 4), ["pairs"] = cost.Pairs,
            })]));
            return 0;
        }

        var table = new Table().Border(TableBorder.Simple).AddColumns("regime", "model", "arm");
        foreach (string header in (string[])["cost of a step", "least", "greatest", "pairs"])
            table.AddColumn(new TableColumn(header).RightAligned());
        foreach (var cost in costs)
            table.AddRow(
                cost.Regime.EscapeMarkup(), cost.Model.EscapeMarkup(), cost.Arm.EscapeMarkup(), Ratio(cost.Cost), Ratio(cost.Least),
                Ratio(cost.Greatest), $"{cost.Pairs}");
        context.Out.Write(table);
        foreach (var model in costs.GroupBy(cost => (cost.Regime, cost.Model)))
            context.Out.WriteLine(
                $"{model.Key.Regime}/{model.Key.Model}: costs: "
                + $"{{ {string.Join(", ", model.Select(cost => $"{cost.Arm}: {Ratio(cost.Cost)}"))} }}");
        return 0;

        static string Ratio(double ratio) => ratio.ToString("0.000", CultureInfo.InvariantCulture);
    }

    private static (int Part, int Parts) Part(string? text)
    {
        if (text is null) return (1, 1);
        return
            text.Split('/') is [var part, var parts]
            && int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int i)
            && int.TryParse(parts, NumberStyles.None, CultureInfo.InvariantCulture, out int n)
            && i >= 1
            && i <= n
            ? (i, n)
            : throw new UsageException($"--shard is '{text}', expected I/N with I from 1 to N, such as 1/2");
    }

    /// <summary>This program: its executable where it stands beside the code, else the code through dotnet.</summary>
    private static WorkerProgram Worker()
    {
        string code = typeof(CompareVerb).Assembly.Location,
            program = Path.ChangeExtension(code, OperatingSystem.IsWindows() ? ".exe" : null);
        return File.Exists(program)
            ? new WorkerProgram(program, [CompareWorkerVerb.Name])
            : new WorkerProgram(Environment.ProcessPath!, [code, CompareWorkerVerb.Name]);
    }
}
