using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using Wisca.Torch.Proofs;
using Wisca.Transitions;

namespace Wisca.Torch.Tests.Proofs;

/// <summary>The forward proof on a model that was really trained: 2 layers, 8 heads, 4 kv heads of 16 channels, tied, float32.</summary>
[Collection(TorchCollection.Name)]
public sealed class RealModelProofTests
{
    private const int HeadDim = 16, GroupSize = 2;

    private static readonly RescaleOptions Finest = new() { QueryKey = Granularity.Pair, ValueOutput = Granularity.Channel };

    // "Once upon a time, in a big forest, there lived a rhinoceros named Roxy. Roxy loved to climb. She climbed trees, rocks, and hills."
    // by the model's own tokenizer, with the start token in front.
    private static readonly int[] Story =
    [
        1, 80, 147, 201, 282, 215, 447, 202, 1154, 1708, 70, 60, 96, 67, 55, 91, 67, 89, 241, 43, 67, 76, 361, 43, 67, 76, 87, 436, 876,
        163,
        2003, 307, 595, 837, 1375, 1586, 71, 10,
    ];

    [Fact]
    public void Compare_ModelWithItself_HasTheKnownLoss()
    {
        using var model = Open();
        var report = ForwardProof.Compare(model, model, Story);
        report.Predictions.ShouldBe(37);
        
        // Known to five digits.
        double allowed = PassRounding.OfLikelihood(DecoderConfig.From(model.Config), Story.Length, report.MaxLogit);
        Math.Log(report.PerplexityA).ShouldBe(2.93170, 5e-6 + allowed);
        report.PerplexityB.ShouldBe(report.PerplexityA);
        report.BitIdentical.ShouldBeTrue();
        report.Divergence.ShouldBe(0);
        Math.Log(report.PerplexityA).ShouldBe(new PlainLlama(model).Loss(Story), allowed);
    }

    [Theory]
    [InlineData(Granularity.Tensor, Granularity.Tensor)]
    [InlineData(Granularity.KvHead, Granularity.KvHead)]
    [InlineData(Granularity.Pair, Granularity.Channel)]
    public void Compare_ExactFactors_EqualToRounding(Granularity queryKey, Granularity valueOutput)
    {
        using var folder = new TemporaryFolder();
        using var model = Open();
        var options = new RescaleOptions
        {
            QueryKey = queryKey,
            ValueOutput = valueOutput,
            Balance = new BalanceOptions(Rounding: FactorRounding.None),
        };
        var move = Rescaler.Rescale(model, folder["out"], options).Move!;
        move.Groups.ShouldAllBe(group => group.Factor != 1);
        using var rescaled = Checkpoint.Open(folder["out"]);

        var report = ForwardProof.Compare(model, rescaled, Story);
        report.Equivalent.ShouldBeTrue(report.Reason);
        report.BitIdentical.ShouldBeFalse();
        var config = DecoderConfig.From(model.Config);
        double allowed = PassRounding.OfLikelihood(config, Story.Length, report.MaxLogit);
        report.MaxDifference.ShouldBeLessThan(PassRounding.OfLogits(config, Story.Length) * report.MaxLogit);
        Math.Log(report.PerplexityB).ShouldBe(Math.Log(report.PerplexityA), allowed);

        // A divergence is of second order in the differences.
        report.Divergence.ShouldBeInRange(0, allowed * allowed);
    }

    [Theory]
    [InlineData(Dtype.F32, ComputePrecision.F32)]
    [InlineData(Dtype.BF16, ComputePrecision.F32)]
    [InlineData(Dtype.BF16, ComputePrecision.Native)]
    [InlineData(Dtype.F16, ComputePrecision.F32)]
    public void Compare_PowersOfTwo_BitIdentical(Dtype dtype, ComputePrecision precision)
    {
        using var folder = new TemporaryFolder();
        using var model = Open(folder, dtype, shards: 1);
        var options = Finest with { Balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo) };
        var move = Rescaler.Rescale(model, folder["out"], options).Move!;
        move.Groups.ShouldContain(group => group.Factor != 1);
        using var rescaled = Checkpoint.Open(folder["out"]);

        var report = ForwardProof.Compare(model, rescaled, Story, new ForwardProofOptions { Precision = precision });
        report.BitIdentical.ShouldBeTrue();
        report.Equivalent.ShouldBeTrue();
        report.MaxDifference.ShouldBe(0);
    }

    [Theory]
    [InlineData(Dtype.F32, ComputePrecision.F32, 1)]
    [InlineData(Dtype.F32, ComputePrecision.F32, 2)]
    [InlineData(Dtype.BF16, ComputePrecision.F32, 1)]
    [InlineData(Dtype.BF16, ComputePrecision.F32, 2)]
    [InlineData(Dtype.BF16, ComputePrecision.Native, 1)]
    public void Compare_ForcedPowersOfTwo_BitIdentical(Dtype dtype, ComputePrecision precision, int shards)
    {
        using var folder = new TemporaryFolder();
        using var model = Open(folder, dtype, shards);
        ModelCopy.Write(model, folder["forced"], dtype, shards, Force);
        using var forced = Checkpoint.Open(folder["forced"]);
        if (shards > 1)
            forced
                .Find("model.layers.0.self_attn.q_proj.weight")!
                .File.ShouldNotBe(forced.Find("model.layers.0.self_attn.k_proj.weight")!.File);

        var report = ForwardProof.Compare(model, forced, Story, new ForwardProofOptions { Precision = precision });
        report.BitIdentical.ShouldBeTrue();
        report.Equivalent.ShouldBeTrue();
    }

    /// <summary>Not said to be bit-identical: activations of half precision lose bits where a channel becomes subnormal.</summary>
    [Fact]
    public void Compare_HalfPrecisionNative_Equivalent()
    {
        using var folder = new TemporaryFolder();
        using var model = Open(folder, Dtype.F16, shards: 1);
        Rescaler.Rescale(model, folder["out"], Finest).Move!.PowersOfTwo.ShouldBeTrue();
        using var rescaled = Checkpoint.Open(folder["out"]);
        ForwardProof
            .Compare(model, rescaled, Story, new ForwardProofOptions { Precision = ComputePrecision.Native })
            .Equivalent.ShouldBeTrue();
    }

    [Theory]
    [InlineData(Dtype.BF16, ComputePrecision.F32)]
    [InlineData(Dtype.BF16, ComputePrecision.Native)]
    [InlineData(Dtype.F16, ComputePrecision.F32)]
    [InlineData(Dtype.F16, ComputePrecision.Native)]
    public void Compare_ExactFactorsOnSixteenBits_EquivalentToTheirRounding(Dtype dtype, ComputePrecision precision)
    {
        using var folder = new TemporaryFolder();
        using var model = Open(folder, dtype, shards: 1);
        var options = Finest with { Balance = new BalanceOptions(Rounding: FactorRounding.None) };
        Rescaler.Rescale(model, folder["out"], options);
        using var rescaled = Checkpoint.Open(folder["out"]);

        var report = ForwardProof.Compare(model, rescaled, Story, new ForwardProofOptions { Precision = precision });
        report.Equivalent.ShouldBeTrue(report.Reason);
        report.BitIdentical.ShouldBeFalse();
    }

    [Theory]
    [InlineData(Dtype.F32, ComputePrecision.F32)]
    [InlineData(Dtype.BF16, ComputePrecision.F32)]
    [InlineData(Dtype.BF16, ComputePrecision.Native)]
    public void Compare_QueriesScaledAlone_NotEquivalent(Dtype dtype, ComputePrecision precision)
    {
        using var folder = new TemporaryFolder();
        using var model = Open(folder, dtype, shards: 1);
        ModelCopy.Write(model, folder["wrong"], dtype, edit: (info, values) =>
        {
            if (info.Name == "model.layers.1.self_attn.q_proj.weight") Array.ConvertAll(values, value => 1.5f * value).CopyTo(values, 0);
        });
        AssertNotEquivalent(model, folder["wrong"], precision);
    }

    [Theory]
    [InlineData(Dtype.F32, ComputePrecision.F32)]
    [InlineData(Dtype.BF16, ComputePrecision.F32)]
    [InlineData(Dtype.BF16, ComputePrecision.Native)]
    public void Compare_ChannelsScaledUnderRope_NotEquivalent(Dtype dtype, ComputePrecision precision)
    {
        using var folder = new TemporaryFolder();
        using var model = Open(folder, dtype, shards: 1);

        // Each channel's factor meets its inverse, which is exact without RoPE; but here the two channels of a pair have different ones.
        ModelCopy.Write(model, folder["wrong"], dtype, edit: (info, values) =>
        {
            int exponent =
                info.Name == "model.layers.0.self_attn.q_proj.weight" ? 1
                : info.Name == "model.layers.0.self_attn.k_proj.weight" ? -1
                : 0;
            int columns = (int)info.Shape[^1];
            for (int i = 0; i < values.Length && exponent != 0; i++)
            {
                if (i / columns % HeadDim < HeadDim / 2) values[i] = MathF.ScaleB(values[i], exponent);
            }
        });
        AssertNotEquivalent(model, folder["wrong"], precision);
    }

    private static void AssertNotEquivalent(Checkpoint model, string folder, ComputePrecision precision)
    {
        using var wrong = Checkpoint.Open(folder);
        var report = ForwardProof.Compare(model, wrong, Story, new ForwardProofOptions { Precision = precision });
        report.Equivalent.ShouldBeFalse();
        report.BitIdentical.ShouldBeFalse();
        report.Reason.ShouldNotBeNull().ShouldStartWith("logits differ by up to ");
        report.Divergence.ShouldBeGreaterThan(0);
    }

    private static Checkpoint Open() => Checkpoint.Open(TestData.Require("models", "TinyStories-656K"));

    private static Checkpoint Open(TemporaryFolder folder, Dtype dtype, int shards)
    {
        using var original = Open();
        ModelCopy.Write(original, folder["model"], dtype, shards);
        return Checkpoint.Open(folder["model"]);
    }

    /// <summary>Multiplies each rotary pair of a kv head and each value channel by a power
    /// of two from 2^-6 to 2^6, and divides its partner.</summary>
    private static void Force(TensorInfo info, float[] values)
    {
        string[] parts = info.Name.Split('.');
        if (!info.Name.Contains("self_attn", StringComparison.Ordinal)) return;
        string role = parts[^2];
        int columns = (int)info.Shape[1];
        for (int i = 0; i < values.Length; i++)
        {
            int index = role == "o_proj" ? i % columns : i / columns;
            int head = index / HeadDim, channel = index % HeadDim;
            int kvHead = role is "q_proj" or "o_proj" ? head / GroupSize : head;
            int step = role is "q_proj" or "k_proj" ? channel % (HeadDim / 2) : channel;
            int exponent = (((kvHead * 5) + step) % 13) - 6;
            values[i] = MathF.ScaleB(values[i], role is "q_proj" or "v_proj" ? exponent : -exponent);
        }
    }
}
