using TorchSharp;
using Wisca.Files;
using Wisca.Tests;
using Wisca.Tests.PowerCut;
using Wisca.Tests.Torch;
using Wisca.Training.Checkpointing;
using Wisca.Training.Configuration;
using Wisca.Transitions;

namespace Wisca.Training.Tests;

[Collection(TorchCollection.Name)]
public sealed class TrainerTests
{
    [Theory]
    [InlineData(OptimizerKind.AdamW, ScheduleKind.Cosine, new[] { 0.5, 1, 0.55 })]
    [InlineData(OptimizerKind.Sgd, ScheduleKind.Linear, new[] { 0.5, 1, 0.55 })]
    [InlineData(OptimizerKind.Lion, ScheduleKind.Constant, new[] { 0.5, 1, 1 })]
    [InlineData(OptimizerKind.Muon, ScheduleKind.WarmupStableDecay, new[] { 0.5, 1, 0.55 })]
    [InlineData(OptimizerKind.Soap, ScheduleKind.Cosine, new[] { 0.5, 1, 0.55 })]
    public void Run_EachOptimizerAndSchedule_TakesItsSteps(OptimizerKind optimizer, ScheduleKind schedule, double[] shares)
    {
        using var folder = new TemporaryFolder();
        var config = TinyRun.Config(folder) with
        {
            Steps = 4,
            Optimizer = new() { Name = optimizer, LearningRate = 1e-3 },
            Schedule = new() { Name = schedule, Warmup = 2, DecaySteps = schedule == ScheduleKind.Constant ? null : 2 },
            Wisca = new() { Every = 2, Round = FactorRounding.None },
        };
        var recorder = TinyRun.Train(config);
        recorder.Steps.Select(report => report.Step).ShouldBe([1, 2, 3, 4]);
        recorder.Steps.ShouldAllBe(report => double.IsFinite(report.Loss) && report.GradientNorm > 0);
        recorder.Transitions.Select(transition => transition.Step).ShouldBe([0, 2, 4]);
        recorder.Evaluations.Single().Step.ShouldBe(4);

        // The third step is the first of the two that decay, so it still has the whole rate; the fourth is half-way to a tenth of it.
        double[] rates = [.. recorder.Steps.Select(report => report.LearningRate / 1e-3)];
        rates[0].ShouldBe(shares[0], 1e-12);
        rates[1].ShouldBe(shares[1], 1e-12);
        rates[3].ShouldBe(shares[2], 1e-12);
    }

    [Fact]
    public void Run_TextCutShortMeanwhile_SavesWhatIsDoneAndSaysSo()
    {
        if (OperatingSystem.IsWindows()) return; // it does not let another program
        using var folder = new TemporaryFolder();
        var config = TinyRun.Config(folder) with { Steps = 40 };
        var recorder = new TrainingRecorder
        {
            OnTrained = report =>
            {
                if (report.Step != 3) return;
                foreach (string text in Directory.GetFiles(folder["cache"], "training.tokens", SearchOption.AllDirectories))
                {
                    using var other = new FileStream(text, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
                    other.SetLength(128);
                }
            },
        };
        var error = Should.Throw<WiscaException>(() => TinyRun.Train(config, recorder));
        error.Message.ShouldContain("the file shrank while it was read");
        error.Message.ShouldEndWith($"; the 3 steps that are done are in {TinyRun.Checkpoint(config, 3)}");

        // Whole again, the run goes on as if nothing had happened.
        Directory.Delete(folder["cache"], recursive: true);
        TinyRun.Train(config);
        string[] contents = TinyRun.Contents(TinyRun.Checkpoint(config, 40));
        TinyRun.Train(config, ResumeMode.Never);
        TinyRun.Contents(TinyRun.Checkpoint(config, 40)).ShouldBe(contents);
    }

    [Fact]
    public void Run_Never_BeginsAnewWithTheSameResult()
    {
        using var folder = new TemporaryFolder();
        var config = TinyRun.Config(folder);
        var first = TinyRun.Train(config);
        var lines = TinyRun.Metrics(config);
        var contents = TinyRun.Contents(TinyRun.Checkpoint(config, 6));
        TinyRun.Train(config, ResumeMode.Never).Losses.ShouldBe(first.Losses);
        TinyRun.Metrics(config).ShouldBe(lines);
        TinyRun.Contents(TinyRun.Checkpoint(config, 6)).ShouldBe(contents);
    }

    [Fact]
    public void Run_ResumedCheckpointRemoved_KeepsTheTokenizer()
    {
        using var folder = new TemporaryFolder();
        var config = TinyRun.Config(folder) with { Steps = 2 };
        TinyRun.Train(config);
        TinyRun.Train(config with { Steps = 6, Checkpoints = new() { Every = 1, Keep = 1, Best = false } });
        Directory.Exists(TinyRun.Checkpoint(config, 2)).ShouldBeFalse();
        using var tokenizer = File.OpenRead(Path.Combine(TinyRun.Checkpoint(config, 6), "tokenizer.json"));
        TinyRun.Train(config with { Steps = 7 }).Steps.Count.ShouldBe(1);
    }

    [Fact]
    public void Run_CompleteBefore_ChangesNothing()
    {
        using var folder = new TemporaryFolder();
        var config = TinyRun.Config(folder);
        TinyRun.Train(config);
        var lines = TinyRun.Metrics(config);
        var contents = TinyRun.Contents(TinyRun.Checkpoint(config, 6));
        var again = TinyRun.Train(config);
        again.Steps.ShouldBeEmpty();
        again.Evaluations.Count.ShouldBe(1);
        again.Notices.ShouldBeEmpty();
        TinyRun.Metrics(config).ShouldBe(lines);
        TinyRun.Contents(TinyRun.Checkpoint(config, 6)).ShouldBe(contents);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public void Run_StoppedAndResumed_ReportsAsIfItHadNotStopped(int stopAfter)
    {
        using TemporaryFolder folder = new(), other = new();
        var config = Busy(folder);
        TinyRun.Train(config);
        using var stop = new CancellationTokenSource();
        var stopped = Busy(other);
        if (stopAfter == 0) stop.Cancel();
        else stopped = stopped with { Logging = stopped.Logging with { Every = stopAfter } };
        TinyRun.Train(stopped, new TrainingRecorder { OnTrained = _ => stop.Cancel() }, stop: stop.Token);
        RunFolder.FindLatest(stopped.Output).ShouldBe(TinyRun.Checkpoint(stopped, stopAfter));
        var resumed = TinyRun.Train(Busy(other));
        resumed.Notices.ShouldBeEmpty();
        TinyRun.Contents(TinyRun.Checkpoint(stopped, 8)).ShouldBe(TinyRun.Contents(TinyRun.Checkpoint(config, 8)));
        if (stopAfter == 0) TinyRun.Metrics(stopped).ShouldBe(TinyRun.Metrics(config));

        static TrainingConfig Busy(TemporaryFolder folder) => TinyRun.Config(folder) with
        {
            Steps = 8,
            Ema = 0.9,
            Wisca = new() { Every = 3, Round = FactorRounding.None },
            Logging = new() { Every = 4, Tensorboard = false },
        };
    }

    [Fact]
    public void Run_TestText_IsEvaluatedApart()
    {
        using TemporaryFolder folder = new();
        var config = TinyRun.Config(folder) with
        {
            Steps = 1,
            Evaluation = new()
            {
                Tokens = null,
                AtStart = false,
                Samples = new() { Every = 0 },
            },
        };
        config = config with { Data = config.Data with { HeldOut = 0.4, Stories = 60 } };
        var whole = TinyRun.Train(config, ResumeMode.Never).Evaluations[^1];
        whole.TestLoss.ShouldBeNull();
        var parted = TinyRun.Train(config with { Data = config.Data with { TestShare = 0.5 } }, ResumeMode.Never).Evaluations[^1];
        parted.TestLoss.ShouldNotBeNull().ShouldNotBe(parted.Loss);

        // The parts make up the whole, but for windows that are not full.
        parted.Tokens.ShouldBeInRange((long)(0.2 * whole.Tokens), (long)(0.8 * whole.Tokens));
        Math.Abs((((parted.Loss * parted.Tokens) + (parted.TestLoss.Value * (whole.Tokens - parted.Tokens))) / whole.Tokens) - whole.Loss)
            .ShouldBeLessThan(0.02);

        // Text of its own: the same as validation gives the same loss.
        File.WriteAllText(folder["held.txt"], string.Join("\n", Enumerable.Range(0, 40).Select(i => $"Line {i} of a text.")));
        var own = TinyRun
            .Train(
                config with
                {
                    Data = config.Data with { HeldOut = null, Validation = [folder["held.txt"]], Test = [folder["held.txt"]] },
                },
                ResumeMode.Never)
            .Evaluations[^1];
        own.TestLoss.ShouldBe(own.Loss);
    }

    [Fact]
    public void Run_StoppedBetweenReports_GathersOnAfterwards()
    {
        using TemporaryFolder folder = new(), other = new();
        TrainingConfig config = Config(folder), stopped = Config(other);
        TinyRun.Train(config);
        Directory.CreateDirectory(stopped.Output);
        TinyRun.Train(stopped, ResumeMode.From(TinyRun.Checkpoint(config, 3)));
        TinyRun.Metrics(stopped).ShouldBe(TinyRun.Metrics(config));

        static TrainingConfig Config(TemporaryFolder folder) => TinyRun.Config(folder) with
        {
            Steps = 8, Checkpoints = new() { Every = 3, Keep = 9 }, Logging = new() { Every = 4, Tensorboard = false },
        };
    }

    /// <summary>A rate at which the loss only rises: the lowest one was measured before the run was resumed.</summary>
    [Fact]
    public void Run_Resumed_KnowsTheLowestLossOfBefore()
    {
        using TemporaryFolder folder = new(), other = new();
        TrainingConfig config = Config(folder), resumed = Config(other);
        var losses = TinyRun.Train(config).Evaluations.Select(report => report.Loss).ToList();
        losses.Count.ShouldBe(5);
        losses.Min().ShouldBe(losses[0]);
        var whole = TrainingState.Load(TinyRun.Checkpoint(config, 4));
        (whole.BestLoss, whole.BestStep).ShouldBe((losses[0], 0));
        Directory.CreateDirectory(resumed.Output);
        TinyRun.Train(resumed, ResumeMode.From(TinyRun.Checkpoint(config, 2)));
        var state = TrainingState.Load(TinyRun.Checkpoint(resumed, 4));
        (state.BestLoss, state.BestStep).ShouldBe((losses[0], 0));

        static TrainingConfig Config(TemporaryFolder folder)
        {
            var config = TinyRun.Config(folder) with
            {
                Steps = 4, Optimizer = new() { LearningRate = 1 }, Checkpoints = new() { Every = 2, Keep = 9 },
            };
            return config with { Evaluation = config.Evaluation with { Every = 1, AtStart = true } };
        }
    }

    [Fact]
    public void Prepare_OtherSettingsOrThreads_SaysSo()
    {
        using var folder = new TemporaryFolder();
        var config = TinyRun.Config(folder) with { Steps = 2 };
        TinyRun.Train(config);
        TinyRun.Train(config with { Optimizer = new() { LearningRate = 5e-4 } }).Notices.Single()
            .ShouldBe(
                "the configuration is not the one that the checkpoint was trained with (optimizer.learning_rate: 0.001 became 0.0005): "
                + "the run goes on from it, but not as if it had never stopped");
        TinyRun
            .Train(config with { Threads = 2 })
            .Notices.Single()
            .ShouldBe("the checkpoint was trained with 1 threads, this run has 2: results differ in their last bits");
        Wisca.Torch.TorchRuntime.Threads = 1;
        TinyRun
            .Train(
                config with
                {
                    Logging = new() { Every = 7, Tensorboard = false },
                    Checkpoints = new() { Keep = 5 },
                })
            .Notices.ShouldBeEmpty();
    }

    [Fact]
    public void Prepare_NoSuchGraphicsCard_IsOneLineAndLeavesNothing()
    {
        using var folder = new TemporaryFolder();
        var config = TinyRun.Config(folder) with { Device = "cuda:9999" };
        Should.Throw<WiscaException>(() => Trainer.Prepare(config, ResumeMode.Auto, new TrainingRecorder()))
            .Message.ShouldStartWith("device is cuda:9999");
        Directory.Exists(config.Output).ShouldBeFalse();
    }

    [Fact]
    public void Prepare_FolderInUse_IsRefused()
    {
        using var folder = new TemporaryFolder();
        var config = TinyRun.Config(folder);
        using (Trainer.Prepare(config, ResumeMode.Auto, new TrainingRecorder()))
            Should
                .Throw<WiscaException>(() => Trainer.Prepare(config, ResumeMode.Auto, new TrainingRecorder()))
                .Message.ShouldBe($"output {config.Output} is in use by another run");
        TinyRun.Train(config).Steps.Count.ShouldBe(6);
    }

    [Fact]
    public void Run_LossNotFinite_NamesTheLastGoodCheckpoint()
    {
        using var folder = new TemporaryFolder();
        var config = TinyRun.Config(folder) with { Steps = 3, Checkpoints = new() { Every = 1, Keep = 9 } };
        TinyRun.Train(config);
        var diverging = config with { Steps = 9, Optimizer = new() { LearningRate = 1e25, WeightDecay = 0 } };
        var failure = Should.Throw<WiscaException>(() => TinyRun.Train(diverging));
        failure.Message.ShouldEndWith($"the last good checkpoint is {TinyRun.Checkpoint(config, 3)}");
        failure.Message.ShouldStartWith("step 5: ");
        failure.Hint!.ShouldContain($"--resume {TinyRun.Checkpoint(config, 3)}");

        // The weights that did it were stored, but they are not called good.
        Directory.Exists(TinyRun.Checkpoint(config, 4)).ShouldBeTrue();
        TinyRun
            .Train(config with { Steps = 5 }, ResumeMode.From(TinyRun.Checkpoint(config, 3)))
            .Steps.Select(report => report.Step)
            .ShouldBe([4, 5]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Run_WeightsNotFinite_NamesTheLastGoodCheckpoint(bool transitions)
    {
        using var folder = new TemporaryFolder();
        var config = TinyRun.Config(folder) with { Steps = 3, Checkpoints = new() { Every = 1, Keep = 9 } };
        TinyRun.Train(config);
        var failure = Should.Throw<WiscaException>(() => TinyRun.Train(config with
        {
            Steps = 9,
            Optimizer = new() { LearningRate = 1e39 },
            Wisca = transitions ? new() { Every = 1 } : config.Wisca,
            Logging = config.Logging with { Every = transitions ? 100 : 1 },
        }, ResumeMode.Never));
        failure.Message.ShouldStartWith("step 1: the weights of ");
        failure.Message.ShouldEndWith("hold NaN or infinity; there is no good checkpoint");
    }

    /// <summary>A run that goes on from a checkpoint does not write again the metrics that led to it.</summary>
    [Fact]
    public async Task Run_CutOffAnywhere_HasTheMetricsThatLedToEachCheckpoint()
    {
        using var folder = new TemporaryFolder();
        var config = TinyRun.Config(folder) with { Steps = 2, Checkpoints = new() { Every = 1 } };
        int checkpoints = 0;
        var disk = new PowerCutDisk(folder.FullPath, (step, remains) =>
        {
            if (!remains.Files.Keys.Any(path => path.StartsWith("run/checkpoints/step-", StringComparison.Ordinal))) return;
            checkpoints++;
            remains.At("run/metrics.jsonl").ShouldNotBeNull(step).ShouldNotBe("lost", step);
        });
        await Task.Run(() =>
        {
            // For this task alone.
            Disk.Default = disk;
            TinyRun.Train(config);
        });
        checkpoints.ShouldBeGreaterThan(0);
    }

    [Fact]
    public void Run_LossExplodes_Stops()
    {
        using var folder = new TemporaryFolder();
        var config = TinyRun.Config(folder) with
        {
            Steps = 200,
            BatchSize = 1,
            Optimizer = new() { LearningRate = 1e-7 },
            Checkpoints = new() { Every = 20 },
            Ending = new() { LossExplosion = 1.001 },
            Logging = new() { Every = 100, Tensorboard = false },
        };
        var failure = Should.Throw<WiscaException>(() => TinyRun.Train(config));
        failure.Message.ShouldContain("more than 1.001 times its running average");
        failure.Message.ShouldContain("the last good checkpoint is " + Path.Combine(config.Output, "checkpoints", "step-0000"));
    }

    [Fact]
    public void Run_ComputingInBfloat16_TrainsAlmostAsInSinglePrecision()
    {
        using TemporaryFolder single = new(), half = new();
        TrainingRecorder one = TinyRun.Train(Config(single)),
            other = TinyRun.Train(Config(half) with { Precision = TrainingPrecision.Bf16 });
        one.Losses[^1].ShouldBeLessThan(one.Losses[0] - 1);

        // Some 25 results a layer are rounded to bfloat16 on the way to a loss; transitions are measured in float32.
        other.Losses.Zip(one.Losses, (a, b) => Math.Abs(a - b) / b).Max().ShouldBeLessThan(Rounding.Of(Rounding.BFloat16, 50));
        other.Losses.ShouldNotBe(one.Losses);
        other.Transitions.ShouldAllBe(transition =>
            Math.Abs((transition.Loss!.Value.After / transition.Loss.Value.Before) - 1) < Rounding.Of(Rounding.Float32, 500));

        static TrainingConfig Config(TemporaryFolder folder) => TinyRun.Config(folder) with
        {
            Steps = 25, Optimizer = new() { LearningRate = 2e-2 }, Wisca = new() { Every = 10, Round = FactorRounding.None, Verify = true },
        };
    }

    [Fact]
    public void Run_TwoHundredSteps_LeavesNoTensorsBehind()
    {
        using var folder = new TemporaryFolder();
        var live = new List<long>();
        var config = TinyRun.Config(folder, "mixtral") with
        {
            Steps = 200,
            BatchSize = 1,
            Ema = 0.9,
            Wisca = new() { Every = 7, Round = FactorRounding.None, Verify = true },
            Evaluation = new() { Every = 20, Tokens = 64, Samples = new() { Every = 20, Tokens = 4 } },
            Checkpoints = new() { Every = 50 },
            Logging = new() { Every = 50 },
        };
        config = config with { Data = config.Data with { SequenceLength = 16 } };
        var recorder = TinyRun.Train(
            config,
            new TrainingRecorder { OnTrained = _ => live.Add(DisposeScopeManager.Statistics.ThreadTotalLiveCount) });
        recorder.Samples.Count.ShouldBe(10);
        recorder.Transitions.Count.ShouldBe(29);
        live.Count.ShouldBe(4);
        live.ShouldAllBe(count => count == live[0]);
    }

    [Theory]
    [InlineData("adamw")]
    [InlineData("soap")]
    public void Run_Fisher_BalancesOnceThereAreSecondMoments(string optimizer)
    {
        using var folder = new TemporaryFolder();
        var config = TrainingConfig.Load(null, ["wisca.criterion=fisher", "wisca.every=2", $"optimizer.name={optimizer}"]);
        config.Wisca.Init.ShouldBeFalse();
        var recorder = TinyRun.Train(TinyRun.Config(folder) with { Wisca = config.Wisca, Optimizer = config.Optimizer });
        recorder.Transitions.Select(transition => transition.Step).ShouldBe([2, 4, 6]);
        recorder.Transitions[0].Scaled.ShouldBeGreaterThan(0);
    }
}
