using System.Text.Json.Nodes;
using TorchSharp;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using Wisca.Torch.Transitions;
using Wisca.Training.Configuration;
using Wisca.Transitions;

namespace Wisca.Training.Tests;

[Collection(TorchCollection.Name)]
public sealed class TrainerHeadBalanceTests
{
    [Theory]
    [InlineData("mistral")]
    [InlineData("gpt2")]
    public void Run_BalancedHeads_AreVerifiedLoggedAndUndoneToTheFirstBasis(string family)
    {
        using var folder = new TemporaryFolder();
        var config = Balanced(folder, family) with { Steps = 6 };
        var recorder = TinyRun.Train(config with { Wisca = config.Wisca with { Verify = true } });
        recorder.HeadBalances.Select(balance => balance.Step).ShouldBe([3, 6]);
        foreach (var balance in recorder.HeadBalances)
        {
            var (before, after) = balance.Loss.ShouldNotBeNull();
            Math.Abs(after - before).ShouldBeLessThan(3e-6 * before);
            balance.After.ShouldBeLessThan(1e-3 * balance.Before);
        }

        File.ReadAllLines(Path.Combine(config.Output, "metrics.jsonl"))
            .Select(line => JsonNode.Parse(line)!)
            .Select(line => (double?)line["heads/imbalance_before"]).OfType<double>()
            .ShouldBe(recorder.HeadBalances.Select(balance => balance.Before));

        using var trained = Checkpoint.Open(TinyRun.Checkpoint(config, 6));
        Undoer.Undo(trained, folder["undone"], threads: 1).Moves.ShouldBe(1);
        using var undone = Checkpoint.Open(folder["undone"]);
        using var scope = torch.NewDisposeScope();
        using var ungraded = torch.no_grad();
        using Decoder a = Decoder.Load(trained), b = Decoder.Load(undone);
        double[] logits = LoraRun.Logits(a);
        LoraRun.Largest(logits, LoraRun.Logits(b)).ShouldBeLessThan(2e-5 * logits.Max(Math.Abs));
        a.parameters().Zip(b.parameters()).Max(pair => (pair.First - pair.Second).abs().max().item<float>()).ShouldBeGreaterThan(1e-3f);
    }

    [Theory]
    [InlineData(SecondMomentPolicy.Mix)]
    [InlineData(SecondMomentPolicy.Keep)]
    [InlineData(SecondMomentPolicy.Reset)]
    public void Run_Parted_EndsWithTheBytesOfOneThatDidNotStop(SecondMomentPolicy state)
    {
        using TemporaryFolder folder = new(), other = new();
        TinyRun.Train(Busy(folder));
        using var stop = new CancellationTokenSource();
        TinyRun.Train(
            Busy(other),
            new TrainingRecorder
            {
                OnTrained = report =>
                {
                    if (report.Step == 5) stop.Cancel();
                },
            }, stop: stop.Token);
        TinyRun.Train(Busy(other)).HeadBalances.Select(balance => balance.Step).ShouldBe([6, 9]);
        TinyRun.Contents(TinyRun.Checkpoint(Busy(other), 10)).ShouldBe(TinyRun.Contents(TinyRun.Checkpoint(Busy(folder), 10)));

        TrainingConfig Busy(TemporaryFolder at)
        {
            var config = Balanced(at, "mistral");
            return config with
            {
                Steps = 10,
                Ema = 0.9,
                Wisca = config.Wisca with
                {
                    QueryKey = Granularity.Tensor,
                    ValueOutput = Granularity.KvHead,
                    Every = 4,
                    Round = FactorRounding.None,
                    Balance = new() { Every = 3, State = state },
                    Rotate = new() { Stream = RotationSource.Gradient, Start = 2, Every = 2 },
                },
                Logging = new() { Every = 5, Tensorboard = false },
            };
        }
    }

    [Theory]
    [InlineData(
        "wisca: { vo: channel, balance: { every: 5 } }",
        "wisca.vo: channel although heads are balanced by a matrix, expected tensor or kv-head: such factors do not outlast it")]
    [InlineData(
        "wisca: { preset: origin, balance: { every: 5 }, rotate: { stream: gradient, values: same } }",
        "wisca.rotate.values: same although heads are balanced by a matrix, expected one of the two: the product of both is no rotation")]
    [InlineData("wisca: { all: true, balance: { every: 5 } }", "wisca.all: true although heads are balanced by a matrix")]
    public void Load_Contradiction_IsReported(string yaml, string expected)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["c.yaml"], yaml);
        Should.Throw<WiscaException>(() => TrainingConfig.Load(folder["c.yaml"])).Message.ShouldContain(expected);
    }

    [Fact]
    public void Load_HeadsOfAFrozenBase_AreRefused()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["c.yaml"], "{ base: { model: m }, data: { train: [a] }, wisca: { balance: { every: 5 } } }");
        Should.Throw<WiscaException>(() => FinetuneConfig.Load(folder["c.yaml"])).Message.ShouldContain(
            "wisca.balance.every: balances the heads of a base that does not train");
    }

    private static TrainingConfig Balanced(TemporaryFolder folder, string family) => TinyRun.Config(folder, family) with
    {
        Optimizer = new() { LearningRate = 1e-2 },
        Wisca = new() { QueryKey = null, ValueOutput = null, Balance = new() { Every = 3 } },
    };
}
