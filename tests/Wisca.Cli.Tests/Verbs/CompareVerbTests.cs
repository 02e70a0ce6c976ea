using System.Text.Json.Nodes;
using Wisca.Cli.Tests.Training;
using Wisca.Comparison.Results;
using Wisca.Comparison.Studies;
using Wisca.Tests;
using Wisca.Torch.Transitions;
using Wisca.Training;
using Wisca.Training.Configuration;
using Wisca.Transitions;

namespace Wisca.Cli.Tests.Verbs;

[Collection(nameof(TorchCollection))]
public sealed class CompareVerbTests
{
    private static string Shipped(string name) => TestRepository.PathOf("configs", "compare", name);

    private static string[] ShippedFiles() => Directory.GetFiles(TestRepository.PathOf("configs", "compare"), "*.yaml");

    /// <summary>Settings that make a shipped study need no data.</summary>
    private static string[] OnStories(string file) =>
        Path.GetFileName(file) == "stories.yaml" ? [] : ["training.data.train=stories", "training.data.validation=stories"];

    /// <summary>Settings that give a shipped study what it needs.</summary>
    private static string[] Furnished(string file, TemporaryFolder folder) =>
        Path.GetFileName(file) switch
        {
            "finetune.yaml" or "lora-rotations.yaml" => TinyStudy.Inputs(folder),
            "vocabularies.yaml" => [.. OnStories(file), "models.published.tokenizer={ source: bytes }"],
            _ => OnStories(file),
        };

    [Fact]
    public async Task DryRun_EveryShippedStudy_PrintsItsRunsAndTheirCost()
    {
        using var folder = new TemporaryFolder();
        ShippedFiles()
            .Select(Path.GetFileName)
            .ShouldBe(
                [
                    "finetune.yaml", "lora-rotations.yaml", "rotations.yaml", "second.yaml", "stories.yaml", "tinystories-1m.yaml",
                    "tinystories.yaml", "vocabularies.yaml",
                ],
                ignoreOrder: true);
        foreach (string file in ShippedFiles())
        {
            string[] command = ["compare", "--config", file, "--dry-run", "--set", $"output={folder["none"]}", .. Furnished(file, folder)];
            var run = await CommandRun.RunAsync([.. command, "--json"]);
            run.ExitCode.ShouldBe(0, run.Error);
            var json = JsonNode.Parse(run.Output)!;
            json["runs"]!.AsArray().Count.ShouldBeGreaterThan(10);
            foreach (var cost in json["runs"]!.AsArray()) ((double)cost!["flops"]!).ShouldBeGreaterThan(1e9);
            Directory.Exists(folder["none"]).ShouldBeFalse();

            // Every key is explained where it stands.
            string[] lines = File.ReadAllLines(file);
            for (int index = 0; index < lines.Length; index++)
            {
                string line = lines[index].Trim();
                if (line.Length > 0 && line[0] != '#')
                    (line.Contains(" #", StringComparison.Ordinal) || lines[index - 1].TrimStart().StartsWith('#')).ShouldBeTrue(
                        $"{file}:{index + 1}: {line}");
            }
        }

        var table = await CommandRun.RunAsync("compare", "--config", Shipped("stories.yaml"), "--dry-run", "--shard", "1/2");
        table.Output.ShouldContain("main/model/");
        table.Output.ShouldContain("which is assumed");
    }

    [Fact]
    public async Task Power_OfFinishedStudies_SaysHowManySeedsAnEffectNeeds()
    {
        string rotations = TestRepository.PathOf("results", "rotations"), vocabularies = TestRepository.PathOf("results", "vocabularies");
        string[] command = ["compare", "--power", rotations, vocabularies, "--arms", "rotation", "--comparisons", "7", "--effect", "5"];
        var run = await CommandRun.RunAsync(command);
        run.ExitCode.ShouldBe(0, run.Error);
        run.Output.ShouldContain("the first of 7 shows");
        run.Output.ShouldContain("Perplexity lower by 5 % is shown with a power of 0.8 by");
        var json = JsonNode.Parse((await CommandRun.RunAsync([.. command, "--json"])).Output)!;

        // Differences of rotation, by hand from the pages: three seeds there, and two of each tokenizer here.
        var arms = json["arms"]!.AsArray();
        arms.Count.ShouldBe(6);
        double[] differences = [-0.0510, -0.0542, -0.0644];
        double mean = differences.Average();
        ((double)arms.Single(arm => (string?)arm!["study"] == "rotations")!["deviation"]!).ShouldBe(
            Math.Sqrt(differences.Sum(value => (value - mean) * (value - mean)) / 2), 1e-4);
        ((int)json["degrees_of_freedom"]!).ShouldBe(7);
        var rows = json["rows"]!.AsArray();
        int seeds = (int)json["seeds"]!;
        ((double)rows.Single(row => (int)row!["seeds"]! == seeds)!["power"]!).ShouldBeGreaterThanOrEqualTo(0.8);
        ((double)rows.Single(row => (int)row!["seeds"]! == seeds - 1)!["power"]!).ShouldBeLessThan(0.8);
    }

    [Theory]
    [InlineData(2, "--effect is given without --power", "--effect", "3")]
    [InlineData(2, "--config is missing", "--clock")]
    [InlineData(1, "no arm of these names", "--power", "RESULTS", "--arms", "nobody")]
    [InlineData(1, "has no study.json", "--power", "NONE")]
    [InlineData(2, "--effect", "--power", "RESULTS", "--effect", "100")]
    public async Task PowerAndClock_Misused_AreOneLine(int code, string expected, params string[] words)
    {
        using var folder = new TemporaryFolder();
        string[] arguments =
        [
            .. words.Select(word => word switch
            {
                "RESULTS" => TestRepository.PathOf("results", "rotations"),
                "NONE" => folder.FullPath,
                _ => word,
            }),
        ];
        var run = await CommandRun.RunAsync(["compare", .. arguments]);
        run.ExitCode.ShouldBe(code);
        run.Output.ShouldBeEmpty();
        run.Error.ShouldContain(expected);
    }

    [Fact]
    public void TinyStories_Arms_AreThoseOfTheQuestion()
    {
        var study = Study.Load(Shipped("tinystories.yaml"), OnStories("tinystories.yaml"));
        WiscaSection Of(string arm) => study.ConfigOf("main", "llama", arm).Wisca;
        foreach (string arm in (string[])["origin", "control", "attention_x0.5", "attention_x1.5", "attention_x2", "attention_x3"])
            Of(arm).IsActive.ShouldBeFalse(arm);
        (Of("qk_ten").QueryKey, Of("qk_ten").ValueOutput).ShouldBe((Granularity.Tensor, null));
        (Of("vo_ten").QueryKey, Of("vo_ten").ValueOutput).ShouldBe((null, Granularity.Tensor));
        (Of("qk_row+vo_ten").QueryKey, Of("qk_row+vo_ten").ValueOutput).ShouldBe((Granularity.Pair, Granularity.Tensor));
        (Of("kv-head").QueryKey, Of("kv-head").ValueOutput).ShouldBe((Granularity.KvHead, Granularity.KvHead));
        foreach (string arm in (string[])["qk_ten+vo_ten", "keep", "reset", "l2", "l1-mean", "fisher"])
            (Of(arm).Every, Of(arm).Init, Of(arm).QueryKey).ShouldBe((250, arm != "fisher", Granularity.Tensor), arm);
        (Of("init").Every, Of("init").Init).ShouldBe((0, true));
        ((string[])["qk_ten+vo_ten", "l1-mean", "l2", "fisher"])
            .Select(arm => Of(arm).Criterion)
            .ShouldBe([Criterion.L1, Criterion.L1Mean, Criterion.L2, Criterion.Fisher]);
        ((string[])["qk_ten+vo_ten", "keep", "reset"])
            .Select(arm => Of(arm).State)
            .ShouldBe([StatePolicy.Transport, StatePolicy.Keep, StatePolicy.Reset]);
        foreach (string model in study.Models) ((TrainingConfig)study.ConfigOf("main", model, "origin")).Steps.ShouldBe(1500);
        var checks = study.CheckRuns();
        foreach (string model in study.Models) checks[("main", model, "origin")].Parameters.ShouldBeInRange(350_000, 1_000_000, model);
    }

    /// <summary>
    /// The controls have no transition, and yet compute what init_pow2 does: with factors that are powers of two and without clipping by
    /// the global norm, which sees gradients in another gauge, all losses are the same to the bit.
    /// </summary>
    [Theory]
    [InlineData("llama", "control")]
    [InlineData("qwen2", "control")]
    [InlineData("gpt2", "control_gpt2")]
    public void TinyStories_Control_IsTheInitArmToTheBit(string model, string control)
    {
        using var folder = new TemporaryFolder();
        var study = Study.Load(Shipped("tinystories.yaml"), OnStories("tinystories.yaml"));
        double[][] losses =
        [
            .. ((string[])["origin", "init_pow2", control]).Select(arm =>
                Losses(folder, arm, (TrainingConfig)study.ConfigOf("main", model, arm) with { Seed = 1 })),
        ];
        losses[2].ShouldBe(losses[1]);
        losses[0][^1].ShouldNotBe(losses[1][^1]);
    }

    private static double[] Losses(TemporaryFolder folder, string arm, TrainingConfig config)
    {
        var observer = new LossRecorder();
        using var trainer = Trainer.Prepare(
            config with
            {
                Output = folder[arm],
                Threads = 1,
                BatchSize = 2,
                Steps = 6,
                Tokenizer = new() { Source = TokenizerSource.Bytes },
                Data = new()
                {
                    Stories = 30,
                    SequenceLength = 32,
                    Cache = folder["cache"],
                    HeldOut = 0.1,
                },
                Optimizer = config.Optimizer with { LearningRate = 8e-3, Clip = null },
                Schedule = new() { Warmup = 0 },
                Evaluation = new()
                {
                    AtStart = false,
                    Every = 2,
                    Tokens = 256,
                    Samples = new() { Every = 0 },
                },
                Checkpoints = new() { Every = 0 }, Logging = new() { Every = 1, Tensorboard = false },
            },
            ResumeMode.Never, observer);
        trainer.Run();
        return [.. observer.Losses];
    }

    [Fact]
    public async Task Compare_BadUse_IsOneLine()
    {
        using var folder = new TemporaryFolder();
        (await CommandRun.RunAsync("compare")).ErrorLines[0].ShouldContain("--config is missing");
        (await CommandRun.RunAsync("compare", "--config", Shipped("stories.yaml"), "--shard", "3/2"))
            .ErrorLines[0]
            .ShouldContain("--shard is '3/2'");
        (await CommandRun.RunAsync("compare", "--config", folder["none.yaml"])).ShouldFail("none.yaml does not exist");

        // So is what cannot be scored.
        (await CommandRun.RunAsync("compare", "--config", Shipped("stories.yaml"), "--set", "scores.texts=[a.txt]")).ShouldFail(
            "keep_models: false, expected true");
        (
            await CommandRun.RunAsync("compare", "--config", Shipped("stories.yaml"), "--set", "keep_models=true", "scores.tasks=[blimp]")
        ).ShouldFail("scores.data: none, expected the folder");
        foreach (string missing in (string[])["scores.texts=[none.txt]", "scores.tasks=[pika]"])
            (
                await CommandRun.RunAsync(
                    "compare", "--config", Shipped("stories.yaml"), "--set", $"output={folder["out"]}", "keep_models=true",
                    $"scores.data={folder.FullPath}", missing)
            ).ExitCode.ShouldBe(1);
        Directory.Exists(folder["out", "runs"]).ShouldBeFalse();
        Directory.Delete(folder["out"], recursive: true);

        // What would not begin is found before anything runs.
        var run = await CommandRun.RunAsync(
            "compare", "--config", Shipped("stories.yaml"), "--set", $"output={folder["out"]}",
            "arms.wrong.optimizer.multipliers=[{ parameters: '*.nothing.*' }]", "models.new.model.config.model_type=nothing");
        run.ExitCode.ShouldBe(1);
        run.Error.ShouldContain("main/new/origin: ");
        Directory.Exists(folder["out"]).ShouldBeFalse();
    }

    [Fact]
    public async Task PrintConfig_Explained_ReadsBack()
    {
        using var folder = new TemporaryFolder();
        var run = await CommandRun.RunAsync("compare", "--config", Shipped("stories.yaml"), "--print-config");
        run.ExitCode.ShouldBe(0);
        File.WriteAllText(folder["printed.yaml"], run.Output);
        run.Output.ShouldContain("# The arm that the others are compared with.");
        var (before, after) = (Study.Load(Shipped("stories.yaml")), Study.Load(folder["printed.yaml"]));
        after
            .Plan(new Dictionary<string, RunResult>())
            .Runs.Select(entry => entry.Id)
            .ShouldBe(before.Plan(new Dictionary<string, RunResult>()).Runs.Select(entry => entry.Id));
    }

    private sealed class LossRecorder : ITrainingObserver
    {
        public List<double> Losses { get; } = [];

        public void Trained(StepReport report) => Losses.Add(report.Loss);

        public void Evaluated(EvaluationReport report) => Losses.Add(report.Loss);

        public void Transitioned(TransitionEvent transition)
        {
        }

        public void Sampled(long completedSteps, string prompt, string continuation)
        {
        }

        public void Saved(long completedSteps, string folder)
        {
        }

        public void Notice(string message)
        {
        }
    }
}
