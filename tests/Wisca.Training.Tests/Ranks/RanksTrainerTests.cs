using Wisca.Communication;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Transitions;
using Wisca.Training.Configuration;
using Wisca.Training.Finetuning;
using Wisca.Training.Tests.Finetuning;
using Wisca.Transitions;

namespace Wisca.Training.Tests.Ranks;

/// <summary>Whole runs of several ranks.</summary>
[Collection(TorchCollection.Name)]
public sealed class RanksTrainerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Losses_AreThoseOfOneProcess(int ranks)
    {
        double[] alone = Losses(Train(1, Config("alone")));
        double[] together = Losses(Train(ranks, Config("together")));
        alone.Length.ShouldBe(50);
        foreach (var (loss, expected) in together.Zip(alone)) loss.ShouldBe(expected, 1e-6 * expected);
    }

    /// <summary>Also where state is cleared that is on another rank.</summary>
    [Theory]
    [InlineData(Criterion.Fisher, StatePolicy.Transport)]
    [InlineData(Criterion.L2, StatePolicy.Transport)]
    [InlineData(Criterion.L1, StatePolicy.Reset)]
    public void ShardedState_GivesTheCheckpointOfPlain(Criterion criterion, StatePolicy state)
    {
        var wisca = new WiscaSection { Init = false, Every = 4, Criterion = criterion, State = state };
        var plain = Config("plain") with { Steps = 9, Wisca = wisca };
        var sharded = Config("sharded") with { Steps = 9, Wisca = wisca, Distributed = new() { ShardOptimizer = true } };
        Train(2, plain);
        Train(2, sharded);
        TinyRun.Contents(TinyRun.Checkpoint(sharded, 9)).ShouldBe(TinyRun.Contents(TinyRun.Checkpoint(plain, 9)));
    }

    [Fact]
    public void CheckpointOfTwo_GoesOnUnderThree()
    {
        var config = Config("run") with { Distributed = new() { ShardOptimizer = true }, Checkpoints = new() { Every = 20 } };
        Train(2, config with { Steps = 20 });
        double[] resumed = Losses(Train(3, config));
        double[] alone = Losses(Train(1, Config("alone")))[20..];
        resumed.Length.ShouldBe(30);
        foreach (var (loss, expected) in resumed.Zip(alone)) loss.ShouldBe(expected, 1e-6 * expected);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.3)]
    public void Adapters_WithDropout_LearnWhatOneProcessTeaches(double dropout)
    {
        double[] alone = Losses(Finetune(1, Tune("alone")));
        double[] together = Losses(Finetune(2, Tune("together")));
        alone.Length.ShouldBe(50);
        foreach (var (loss, expected) in together.Zip(alone)) loss.ShouldBe(expected, 1e-6 * expected);

        FinetuneConfig Tune(string name)
        {
            var config = TinyFinetune.Config(_folder);
            return config with
            {
                Output = _folder[name], Steps = 50, BatchSize = 4, Optimizer = new() { LearningRate = 1e-3, WeightDecay = 0 },
                Adapter = config.Adapter with { Dropout = dropout },
            };
        }
    }

    [Fact]
    public void FewerRowsThanRanks_AreRefused() =>
        Should.Throw<WiscaException>(() => Train(3, Config("run") with { BatchSize = 2 }))
            .Message.ShouldBe("batch_size is 2, but there are 3 ranks: each has a share of every batch");

    public void Dispose() => _folder.Dispose();

    private TrainingConfig Config(string name) => TinyRun.Config(_folder) with
    {
        Output = _folder[name],
        BatchSize = 6,
        Steps = 50,
    };

    private static double[] Losses(TrainingRecorder recorder) => [.. recorder.Losses];

    private static TrainingRecorder Train(int ranks, TrainingConfig config) =>
        Recorded(ranks, (recorder, communicator) => Trainer.Join(config, ResumeMode.Auto, recorder, communicator, default));

    private static TrainingRecorder Finetune(int ranks, FinetuneConfig config) =>
        Recorded(ranks, (recorder, communicator) => Finetuner.Join(config, ResumeMode.Auto, recorder, communicator, default));

    private static TrainingRecorder Recorded(int ranks, Func<TrainingRecorder, ICommunicator, Trainer> prepare) =>
        ThreadRanks.Run(ranks, communicator =>
        {
            var recorder = new TrainingRecorder();
            using var trainer = prepare(recorder, communicator);
            trainer.Run();
            return recorder;
        })[0];
}
