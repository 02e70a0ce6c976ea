using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;
using Wisca.Commands.CommandLine;
using Wisca.Communication;
using Wisca.Training;
using Wisca.Training.Checkpointing;
using Wisca.Training.Configuration;

namespace Wisca.Cli.CommandLine;

/// <summary>A verb that trains as a configuration file says.</summary>
internal static class TrainingRun
{
    /// <summary>Makes the verb.</summary>
    /// <typeparam name="T">Its configuration.</typeparam>
    /// <param name="context">Where to write.</param>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it does.</param>
    /// <param name="file">What its configuration file is.</param>
    /// <param name="load">Reads the configuration.</param>
    /// <param name="prepare">Prepares the run.</param>
    /// <param name="start">The folder of the model that the training starts from; null for none.</param>
    /// <param name="loss">What the held-out loss is called.</param>
    public static Command Create<T>(
        CommandContext context, string name, string description, string file, Func<string?, string[], T> load, Func<T, ResumeMode,
        ITrainingObserver, ICommunicator, CancellationToken, Trainer> prepare, Func<T, string?> start, string loss)
        where T : RunConfig
    {
        var config = new Option<string?>("--config", "-c") { Description = file, HelpName = "FILE" };
        var set = new Option<string[]>("--set")
        {
            Description = "A setting that wins over the file: optimizer.learning_rate=2e-3. May be given several times.",
            HelpName = "KEY=VALUE",
            AllowMultipleArgumentsPerToken = true,
        };
        var resume = new Option<string>("--resume")
        {
            Description = "auto: go on from the run's latest checkpoint, if there is one; never: begin anew; or a checkpoint's folder.",
            DefaultValueFactory = _ => "auto",
            HelpName = "auto|PATH|never",
        };
        var print = new Option<bool>("--print-config")
        {
            Description = "Print the configuration with every key explained, and train nothing.",
        };
        var json = SharedOptions.Json();
        var command = new Command(name, description) { config, set, resume, print, json };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            var ranks = context.Ranks;
            var settings = load(parsed.GetValue(config), parsed.GetValue(set) ?? []);
            if (parsed.GetValue(print))
            {
                if (ranks.Rank == 0) context.StandardOutput.Write(settings.ToYaml(commented: true));
                return 0;
            }

            var mode = parsed.GetValue(resume) switch
            {
                "auto" => ResumeMode.Auto,
                "never" => ResumeMode.Never,
                var path => ResumeMode.From(path!),
            };
            if (ranks.Rank == 0 && start(settings) is { } folder) context.NoteAdapter(folder);
            ITrainingObserver watch = ranks.Rank == 0 ? new TrainingConsole(context.Error) : new SilentObserver();
            using var trainer = prepare(settings, mode, watch, ranks, cancellation);
            if (trainer.CompletedSteps > 0) watch.Notice($"going on from step {trainer.CompletedSteps}");
            var result = trainer.Run(cancellation);
            if (ranks.Rank == 0) Print(context, settings, result, parsed.GetValue(json), loss);
            return 0;
        }));
        return command;
    }

    private static void Print(CommandContext context, RunConfig config, TrainingResult result, bool json, string loss)
    {
        string folder = Path.GetFullPath(config.Output);
        if (json)
        {
            var written = new JsonObject
            {
                ["step"] = result.Step,
                ["interrupted"] = result.Interrupted,
                ["checkpoint"] = result.Checkpoint,
                ["held_out_loss"] = result.Final is null ? null : Format.Json(result.Final.Loss),
                ["perplexity"] = result.Final is null ? null : Format.Json(result.Final.Perplexity),
                ["tokens"] = result.TokensSeen,
                ["training_seconds"] = result.Training.TotalSeconds,
            };
            if (result.Final?.TestLoss is { } test) written["test_loss"] = Format.Json(test);
            context.WriteJson(written);
        }
        else
        {
            var console = context.Out;
            string evaluated = result.Final is null
                ? ""
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $", {loss} {result.Final.Loss:0.0000}, perplexity "
                    + $"{result.Final.Perplexity:0.000}{(result.Final.TestLoss is { } test ? $", test loss {test:0.0000}" : "")}");
            console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{result.Step} steps, {result.TokensSeen} tokens in {TrainingConsole.Span(result.Training)}{evaluated}"));
            console.WriteLine($"checkpoint  {result.Checkpoint}");
            if (config.Logging.Jsonl) console.WriteLine($"metrics     {Path.Combine(folder, RunLayout.Metrics)}");
            if (config.Logging.Tensorboard) console.WriteLine($"TensorBoard {Path.Combine(folder, RunLayout.TensorBoard)}");
            if (result.Interrupted) console.WriteLine("interrupted: the same command goes on from here");
        }
    }
}
