using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Training.Configuration;

namespace Wisca.Training.Tests;

[Collection(TorchCollection.Name)]
public sealed class OverfitTests
{
    [Theory]
    [InlineData(OptimizerKind.AdamW, 1.5e-2, 100)]
    [InlineData(OptimizerKind.Lion, 2e-3, 200)]
    [InlineData(OptimizerKind.Muon, 2e-2, 100)]
    [InlineData(OptimizerKind.Soap, 1.5e-2, 100)]
    [InlineData(OptimizerKind.Sgd, 0.2, 200)]
    public void Run_OneBatch_IsLearnedByHeart(OptimizerKind optimizer, double learningRate, int steps)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["train.txt"], "a quick brown fox jumps over it");
        File.WriteAllText(folder["valid.txt"], "another text");
        var tiny = TinyRun.Config(folder);
        var recorder = TinyRun.Train(tiny with
        {
            Steps = steps,
            BatchSize = 1,
            Data = tiny.Data with
            {
                Train = [folder["train.txt"]],
                Validation = [folder["valid.txt"]],
                HeldOut = null,
                SequenceLength = 31,
            },
            Optimizer = new() { Name = optimizer, LearningRate = learningRate, WeightDecay = 0 },
            Wisca = new() { Every = 50, Round = Wisca.Transitions.FactorRounding.None },
            Logging = new() { Every = 10, Tensorboard = false },
        });
        recorder.Losses[0].ShouldBeGreaterThan(2);
        recorder.Losses[^1].ShouldBeLessThan(0.05);
    }
}
