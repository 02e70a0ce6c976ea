using System.Text.Json.Nodes;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using Wisca.Training.Batches;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Training.Tests;

[Collection(TorchCollection.Name)]
public sealed class TrainerTransitionTests
{
    [Theory]
    [MemberData(nameof(GoldenLossTests.Families), MemberType = typeof(GoldenLossTests))]
    public void Run_VerifiedTransitions_KeepTheLossAndAreLogged(string modelType)
    {
        using var folder = new TemporaryFolder();
        var config = TinyRun.Config(folder, modelType) with
        {
            Steps = 3,
            Ema = 0.5,
            Optimizer = new() { LearningRate = 1e-2 },
            Wisca = new()
            {
                QueryKey = Granularity.KvHead,
                ValueOutput = Granularity.KvHead,
                Every = 2,
                Round = FactorRounding.None,
                Verify = true,
            },
        };
        var recorder = TinyRun.Train(config);
        recorder.Transitions.Select(transition => transition.Step).ShouldBe([0, 2]);
        foreach (var transition in recorder.Transitions)
        {
            var (before, after) = transition.Loss.ShouldNotBeNull();
            
            // Some 500 roundings on the way to a logit of a tiny model, and one more of each weight.
            Math.Abs(after - before).ShouldBeLessThan(Rounding.Of(Rounding.Float32, 500) * before);
            transition.Scaled.ShouldBeGreaterThan(0);
            transition.LargestLog2.ShouldBeGreaterThan(1e-4);
        }

        bool normed = modelType is "qwen3" or "gemma3_text" or "olmoe" or "stablelm";
        recorder
            .Notices.Count(notice => notice.StartsWith("qk is left out in 2 of 2 layers: ", StringComparison.Ordinal))
            .ShouldBe(normed ? 1 : 0);
        var logged = File.ReadAllLines(Path.Combine(config.Output, "metrics.jsonl"))
            .Select(line => JsonNode.Parse(line)!)
            .Where(line => line["wisca/groups"] is not null)
            .ToList();
        logged.Count.ShouldBe(2);
        foreach (var (line, transition) in logged.Zip(recorder.Transitions))
        {
            line["wisca/groups"]!
                .AsArray()
                .Select(group => (double)group!["factor"]!)
                .ShouldBe(transition.Solution.Groups.Select(group => group.Balance.Factor));
            ((double)line["time/transition_seconds"]!).ShouldBeGreaterThan(0);
            ((double)line["wisca/loss_after"]!).ShouldBe(transition.Loss!.Value.After);
        }
    }

    [Fact]
    public void Run_PowersOfTwo_KeepTheLossToTheBit()
    {
        using var folder = new TemporaryFolder();
        var recorder = TinyRun.Train(
            TinyRun.Config(folder) with
            {
                Wisca = new()
                {
                    QueryKey = Granularity.Pair,
                    ValueOutput = Granularity.Channel,
                    Every = 2,
                    Round = FactorRounding.PowerOfTwo,
                    Hysteresis = 0,
                    Verify = true,
                },
            });
        recorder.Transitions.Sum(transition => transition.Scaled).ShouldBeGreaterThan(0);
        recorder.Transitions.ShouldAllBe(transition => transition.Loss!.Value.Before == transition.Loss.Value.After);
    }

    [Theory]
    [InlineData("pairs")]
    [InlineData("heads")]
    [InlineData("norm")]
    public void Apply_LayoutThatIsWrong_IsTakenBack(string fault)
    {
        // What the names say of the model, and what is true.
        string family = fault == "norm" ? "qwen3" : "llama";
        using var model = Decoder.Create(
            DecoderConfig.From(ModelConfig.Parse(TinyFamilies.Config(family))), 1, new InitializationOptions { StandardDeviation = 0.35 });
        var parameters = model.named_parameters().Select(entry => (entry.name, entry.parameter)).ToList();
        const string attention = "model.layers.*.self_attn.";
        var right = new AttentionNames(
            attention + "q_proj", attention + "k_proj", attention + "v_proj", attention + "o_proj", Heads: 4, KvHeads: 2, HeadDim: 4,
            RotaryDims: 4);
        var wrong = fault switch
        {
            "pairs" => right with { RopePairs = RopePairs.Interleaved },
            "heads" => right with { Key = attention + "v_proj", Value = attention + "k_proj" },
            _ => right,
        };
        var options = new WiscaOptions
        {
            Transitions = new TransitionOptions
            {
                QueryKey = Granularity.Pair,
                ValueOutput = Granularity.KvHead,
                Balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo, Hysteresis: 0),
            },
        };
        using var optimizer = new AdamW(parameters);
        long[] ids = [.. TinyFamilies.Tokens(24).Select(id => (long)id)];
        var batch = new TrainingBatch(ids, [.. ids[1..], Decoder.IgnoredTarget], 1);
        BatchGradients.Add(model, [batch]);
        optimizer.Step(1e-3);
        var scheduler = new WiscaScheduler(
            parameters,
            TransitionPlan.Create(new AttentionGeometry(2, 4, wrong.RopePairs), NamedLayers.Find(parameters, wrong), options.Transitions),
            options, optimizer);
        double before = Probe();
        float[][] weights = Values();
        var failure = Should.Throw<WiscaException>(() => scheduler.Apply(7, Probe));
        failure.Message.ShouldStartWith("the transition after step 7 changed the loss of a fixed batch from ");
        failure.Message.ShouldEndWith("; it was taken back");
        Probe().ShouldBe(before);
        Values().ShouldBe(weights);
        scheduler.Transitions.ShouldBe(0);
        scheduler.Product.ShouldAllBe(groups => groups.All(factor => factor == 1));

        double Probe()
        {
            using var scope = NewDisposeScope();
            using var ungraded = no_grad();
            return BatchGradients.Loss(model, batch).Mean;
        }

        float[][] Values()
        {
            using var scope = NewDisposeScope();
            return
            [
                .. parameters
                    .SelectMany(entry => optimizer.StateOf(entry.name).Select(state => state.Tensor).Prepend(entry.parameter))
                    .Where(tensor => tensor.dtype == ScalarType.Float32)
                    .Select(tensor => tensor.detach().contiguous().data<float>().ToArray()),
            ];
        }
    }
}
