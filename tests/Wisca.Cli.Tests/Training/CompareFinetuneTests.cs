using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Checkpoints;
using Wisca.Attention;
using Wisca.Comparison.Reports;
using Wisca.Comparison.Results;
using Wisca.Settings;
using Wisca.Tests;
using Wisca.Training;
using Wisca.Training.Configuration;
using Wisca.Training.Finetuning;

namespace Wisca.Cli.Tests.Training;

/// <summary>Studies of tiny fine-tunings.</summary>
[Collection(nameof(TorchCollection))]
public sealed class CompareFinetuneTests : IDisposable
{
    private const string Small =
        """
        runs: finetune
        baseline: lora
        seeds: [1, 2]
        learning_rates: [1e-2]
        keep_models: true
        training:
          batch_size: 2
          steps: 6
          adapter: { r: 2, dropout: 0.1 }
          data: { held_out: 0.4, sequence_length: 64 }
          wisca: { preset: origin }
          evaluation: { every: 3 }
          checkpoints: { every: 1 }
          logging: { every: 1 }
        arms:
          lora: {}
          both: { wisca: { preset: qk_ten+vo_ten, every: 2, round: none }, adapter: { balance: { every: 2 } } }
        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string[] Command(string yaml, params string[] settings)
    {
        File.WriteAllText(_folder["study.yaml"], yaml);
        return
        [
            "compare",
            "--config",
            _folder["study.yaml"],
            "--set",
            $"output={_folder["out"]}",
            .. TinyStudy.Inputs(_folder),
            .. settings,
        ];
    }

    [Fact]
    public async Task Compare_TwoArms_EndsWithAReportAndAdaptersThatMerge()
    {
        // An arm may have a base of its own too, which is the same function.
        TinyStudy.Inputs(_folder);
        (await CommandRun.RunAsync("rescale", _folder["base"], "--out", _folder["rescaled"])).ExitCode.ShouldBe(0);
        foreach (string file in Directory.GetFiles(_folder["base"], "token*"))
            File.Copy(file, Path.Combine(_folder["rescaled"], Path.GetFileName(file)), overwrite: true);
        WiscaProcess.Run(
            Command(Small, "workers=2", "seeds=[1]", "arms.pissa.adapter.init=pissa", $"arms.other.base.model={_folder["rescaled"]}"));
        using var study = new StudyFolder(_folder["out"]);
        var results = study.ReadResults().ById.Values.OrderBy(result => result.Label, StringComparer.Ordinal).ToList();
        results
            .Select(result => result.Label)
            .ShouldBe([
                "main/model/both lr 1e-2 seed 1", "main/model/lora lr 1e-2 seed 1", "main/model/other lr 1e-2 seed 1",
                "main/model/pissa lr 1e-2 seed 1",
            ]);
        results.ShouldAllBe(result => result.Outcome == RunOutcome.Completed && result.Steps == 6 && result.Imbalances.Count == 0);
        results[0].Transitions.Select(applied => applied.Step).Distinct().ShouldBe([0, 2, 4, 6]);
        var balancings = results[0].Transitions.Where(applied => applied.Name == TransitionKind.LoraFactors.Name()).ToList();
        balancings.Select(applied => applied.Step).ShouldBe([2, 4, 6]);
        balancings.ShouldAllBe(applied => applied.Groups > 0 && applied.Least <= applied.Mean && applied.Mean <= applied.Greatest);
        balancings[0].Mean.ShouldBeGreaterThan(1.1);
        results[1].Transitions.ShouldBeEmpty();

        // Other factors in one arm, another base in one, one function in all.
        results
            .Select(result => result.InitialWeights)
            .ShouldBe([results[0].InitialWeights, results[0].InitialWeights, results[0].InitialWeights, results[3].InitialWeights]);
        results[3].InitialWeights.ShouldNotBe(results[0].InitialWeights);
        string own = Digest(_folder["base"]);
        results.Select(result => result.Base).ShouldBe([own, own, Digest(_folder["rescaled"]), own]);
        foreach (var result in results)
        {
            result.HeldOut.Select(point => point.Step).ShouldBe([0, 3, 6]);

            // Some 500 roundings on the way to a logit of a tiny model, and as many to a weight that is decomposed or moved.
            double test = results[1].HeldOut[0].Test;
            result.HeldOut[0].Test.ShouldBe(test, Rounding.Of(Rounding.Float32, 1000) * test);
            result.HeldOut[2].Test.ShouldNotBe(result.HeldOut[2].Validation);
            result.HeldOut[2].Tokens.ShouldBe(result.Tokens);
        }

        results.Select(result => result.HeldOut[2].Test).Distinct().Count().ShouldBe(4);
        var report = StudyReport.Load(study);
        report.Models[0].SharedInitialWeights.ShouldBeTrue();
        string text = File.ReadAllText(study.MarkdownPath);
        text.ShouldContain("All runs of a seed began as the same function");
        text.ShouldContain($"{results[1].Parameters:N0} parameters that train");
        File.ReadAllText(study.PagePath).ShouldContain("adapter.init: pissa");

        // What is kept is an adapter for the base as it lies on disk, and gives there the loss that was measured.
        foreach (var result in results.Where(result => result.Base == own && result != results[1]))
        {
            string adapter = Path.Combine(study.RunPath(result.Id), "adapter");
            Directory.Exists(Path.Combine(adapter, "training")).ShouldBeFalse();
            var merged = await CommandRun.RunAsync("merge", _folder["base"], adapter, "--out", _folder[result.Id], "--json");
            merged.ExitCode.ShouldBe(0, merged.Error);
            var config = SettingsReader.Read<FinetuneConfig>(result.Configuration, "result") with
            {
                Output = _folder[result.Id + "-again"],
                Base = new() { Model = _folder[result.Id], Tokenizer = _folder["base"] },
                Adapter = new(),
                Wisca = new() { QueryKey = null, ValueOutput = null },
                Steps = 1,
                Threads = 1,
            };
            using var trainer = Finetuner.Prepare(config, ResumeMode.Never, new Recorder(), CancellationToken.None);
            trainer.Run();
            FirstTest(config.Output).ShouldBe(result.HeldOut[2].Test, 2 * Rounding.Of(Rounding.Float32, 1000) * result.HeldOut[2].Test);
        }
    }

    [Fact]
    public void Compare_KilledAndResumed_EndsWithTheNumbersOfAnUndisturbedOne()
    {
        if (!OperatingSystem.IsLinux()) return;
        string[] command = Command(Small, "workers=1", "seeds=[1]", "training.steps=16");
        WiscaProcess.Run(command);
        string[] expected = Numbers();
        Directory.Move(_folder["out"], _folder["whole"]);
        bool begun = false;
        using (var process = WiscaProcess.Start(command))
        {
            // In the middle of a run, when it has a checkpoint to go on from.
            for (int tries = 0; tries < 3000 && !begun && !process.Wait(TimeSpan.FromMilliseconds(5)); tries++)
                begun =
                    Directory.Exists(_folder["out", "work"])
                    && Directory.GetFiles(_folder["out", "work"], "latest.json", SearchOption.AllDirectories).Length > 0;
            process.Kill();
        }

        begun.ShouldBeTrue();
        WiscaProcess.Run(command);
        Numbers().ShouldBe(expected);
    }

    [Fact]
    public async Task DryRun_Finetunings_CostFourOfSixOperationsOfAFrozenParameter()
    {
        var run = await CommandRun.RunAsync([.. Command(Small), "--dry-run", "--json"]);
        run.ExitCode.ShouldBe(0, run.Error);
        var runs = JsonNode.Parse(run.Output)!["runs"]!.AsArray();
        runs.Count.ShouldBe(4);
        var whole = await CommandRun.RunAsync([
            .. Command(Small, "training.adapter={type: none}", "arms={lora: {}, both: {wisca: {preset: qk_ten+vo_ten}}}"),
            "--dry-run",
            "--json",
        ]);
        whole.ExitCode.ShouldBe(0, whole.Error);
        double share = (double)runs[0]!["flops"]! / (double)JsonNode.Parse(whole.Output)!["runs"]!.AsArray()[0]!["flops"]!;
        share.ShouldBeInRange(4 / 6.0, 0.85);
        Directory.Exists(_folder["out"]).ShouldBeFalse();
    }

    [Theory]
    [InlineData("training.base.model=nowhere", "main/model/lora: nowhere does not exist (and 1 more like it)")]
    [InlineData("training.data.train=[none.json]", "main/model/lora: none.json does not exist (and 1 more like it)")]
    [InlineData("arms.both.adapter.targets=[query]", "main/model/both: adapter_config.json: target_modules names 'query'")]
    public async Task Compare_WhatWouldNotBegin_IsSaidBeforeAnythingRuns(string setting, string message)
    {
        foreach (string[] further in (string[][])[[], ["--dry-run"]])
        {
            var run = await CommandRun.RunAsync([.. Command(Small, setting), .. further]);
            run.ExitCode.ShouldBe(1);
            run.ErrorLines[0].ShouldStartWith($"wisca: {_folder["study.yaml"]}: ");
            run.Error.ShouldContain(message);
            run.Error.ShouldContain("hint: ");
            Directory.Exists(_folder["out"]).ShouldBeFalse();
        }
    }

    private static string Digest(string folder)
    {
        using var checkpoint = Checkpoint.Open(folder);
        return ModelDigest.Of(checkpoint);
    }

    private static double FirstTest(string run)
    {
        foreach (string line in File.ReadLines(Path.Combine(run, "metrics.jsonl")))
        {
            if (JsonNode.Parse(line)!["test/loss"] is { } loss) return (double)loss;
        }

        throw new InvalidOperationException("no evaluation");
    }

    /// <summary>The results without what clocks measured.</summary>
    private string[] Numbers()
    {
        using var study = new StudyFolder(_folder["out"]);
        return
        [
            .. study
                .ReadResults()
                .ById
                .Values.OrderBy(result => result.Id, StringComparer.Ordinal)
                .Select(result =>
                    JsonSerializer.Serialize(result with
                    {
                        Seconds = 0, ProcessorSeconds = null, Environment = result.Environment with { Finished = default },
                    })),
        ];
    }

    private sealed class Recorder : ITrainingObserver
    {
        public void Trained(StepReport report)
        {
        }

        public void Evaluated(EvaluationReport report)
        {
        }

        public void Transitioned(Wisca.Torch.Transitions.TransitionEvent transition)
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
