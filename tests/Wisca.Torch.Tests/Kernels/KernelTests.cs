using Wisca.Tests.Torch;
using Wisca.Torch.Kernels;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Kernels;

/// <summary>Our own kernels, values and gradients, against operators of libtorch in float64; the same to the bit on more threads.</summary>
[Collection(TorchCollection.Name)]
public sealed class KernelTests
{
    private const double Rounding = 3e-6;

    public static TheoryData<int, int, int, int, string> Shapes => new()
    {
        { 1, 1, 1, 16, "halves" },
        { 5, 2, 2, 16, "neighbours" },
        { 16, 4, 2, 32, "halves" },
        { 33, 3, 1, 16, "none" },
        { 70, 4, 1, 64, "halves" },
        { 47, 2, 1, 48, "part of halves" },
        { 40, 4, 2, 32, "part of neighbours" },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void SmallHeadAttention_AnyShape_IsWhatOperatorsCompute(int length, int heads, int kvHeads, int dim, string rope)
    {
        using var scope = NewDisposeScope();
        SmallHeadAttention.Takes(dim).ShouldBeTrue();
        const int batch = 2;
        var random = new Generator(1);
        Tensor q = Draw(batch, length, heads, dim), k = Draw(batch, length, kvHeads, dim), v = Draw(batch, length, kvHeads, dim),
            given = Draw(batch, length, heads, dim);
        bool halves = !rope.Contains("neighbours");
        int rotated = rope == "none" ? 0 : rope.StartsWith("part", StringComparison.Ordinal) ? dim / 2 : dim;
        Tensor? cosines = null, sines = null;
        if (rotated > 0)
        {
            var angles = arange(length, ScalarType.Float64).unsqueeze(1) * rand(rotated / 2, ScalarType.Float64, generator: random);
            var signed = (Tensor sine) => halves ? cat([-sine, sine], 1) : stack([-sine, sine], 2).flatten(1);
            cosines = (halves ? cat([angles.cos(), angles.cos()], 1) : angles.cos().repeat_interleave(2, 1)).to(ScalarType.Float32);
            sines = signed(angles.sin()).to(ScalarType.Float32);
        }

        var shape = new AttentionShape(heads, kvHeads, dim, 0.3, halves);
        Check([q, k, v], given, inputs => SmallHeadAttention.Attend(inputs[0], inputs[1], inputs[2], cosines, sines, shape), Reference);

        Tensor Reference(Tensor[] inputs)
        {
            var seen = ones(length, length, ScalarType.Bool).tril();
            Tensor keys = Turn(inputs[1]).repeat_interleave(heads / kvHeads, 2), values = inputs[2].repeat_interleave(heads / kvHeads, 2);
            var scores = einsum("bihd,bjhd->bhij", Turn(inputs[0]), keys) * 0.3;
            return einsum("bhij,bjhd->bihd", scores.masked_fill(seen.logical_not(), double.NegativeInfinity).softmax(-1), values);
        }

        Tensor Turn(Tensor x)
        {
            if (rotated == 0) return x;
            Tensor part = x.narrow(3, 0, rotated), cos = cosines!.to(x.dtype).unsqueeze(1), sin = sines!.to(x.dtype).unsqueeze(1);
            var exchanged = halves
                ? cat([part.narrow(3, rotated / 2, rotated / 2), part.narrow(3, 0, rotated / 2)], 3)
                : part.unflatten(3, rotated / 2, 2).flip(4).flatten(3);
            return cat([(part * cos) + (exchanged * sin), x.narrow(3, rotated, dim - rotated)], 3);
        }

        Tensor Draw(params long[] size) => randn(size, generator: random);
    }

    [Theory]
    [InlineData(1, 8)]
    [InlineData(7, 40)]
    [InlineData(300, 64)]
    public void RootMeanSquareNorm_AnyShape_IsWhatOperatorsCompute(int rows, int width)
    {
        foreach (float offset in new[] { 0f, 1f })
        {
            using var scope = NewDisposeScope();
            var random = new Generator(2);
            Check(
                [randn([2, rows, width], generator: random), randn([width], generator: random)],
                randn([2, rows, width], generator: random),
                inputs => RootMeanSquareNorm.Of(inputs[0], inputs[1], 1e-3, offset),
                inputs => inputs[0] * (inputs[0].square().mean([-1], keepdim: true) + 1e-3).rsqrt() * (inputs[1] + offset));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(37)]
    [InlineData(100_000)]
    public void GatedActivation_AnySize_IsWhatOperatorsCompute(int size)
    {
        using var scope = NewDisposeScope();
        var random = new Generator(3);
        Tensor gate = randn([size], generator: random) * 20;
        Check(
            [gate, randn([size], generator: random)], randn([size], generator: random),
            inputs => GatedActivation.Of(inputs[0], inputs[1]), inputs => inputs[0] * inputs[0].sigmoid() * inputs[1]);
    }

    [Fact]
    public void Gradient_UsedTwice_IsTheSumOfBoth()
    {
        using var scope = NewDisposeScope();
        Tensor gate = randn(64).requires_grad_(), up = randn(64).requires_grad_();
        var first = GatedActivation.Of(gate, up);
        (first + GatedActivation.Of(first, up)).sum().backward();
        Tensor gate64 = Wide(gate), up64 = Wide(up), first64 = gate64 * gate64.sigmoid() * up64;
        (first64 + (first64 * first64.sigmoid() * up64)).sum().backward();
        Difference(gate.grad!, gate64.grad!).ShouldBeLessThan(Rounding);
        Difference(up.grad!, up64.grad!).ShouldBeLessThan(Rounding);
    }

    [Fact]
    public void Values_ThatAreNotFinite_StayVisible()
    {
        using var scope = NewDisposeScope();
        var q = randn(1, 20, 1, 16);
        q[0, 10, 0, 3] = tensor(float.NaN);
        var broken = SmallHeadAttention
            .Attend(q, randn(1, 20, 1, 16), randn(1, 20, 1, 16), null, null, new AttentionShape(1, 1, 16, 1, true))
            .isnan().any(-1).flatten().data<bool>().ToArray();
        broken.Index().Where(entry => entry.Item).Select(entry => entry.Index).ShouldBe([10]);
        GatedActivation.Of(full(9, float.NaN), ones(9)).isnan().all().item<bool>().ShouldBeTrue();
        RootMeanSquareNorm.Of(full([1, 8], float.PositiveInfinity), ones(8), 0, 0).isnan().all().item<bool>().ShouldBeTrue();
    }

    private static void Check(Tensor[] inputs, Tensor given, Func<Tensor[], Tensor> ours, Func<Tensor[], Tensor> reference)
    {
        var single = Run(inputs, given, ours);
        var wide = Run([.. inputs.Select(input => input.to(ScalarType.Float64))], given.to(ScalarType.Float64), reference);
        for (int i = 0; i < single.Length; i++) Difference(single[i], wide[i]).ShouldBeLessThan(Rounding, $"of number {i}");
        int threads = TorchRuntime.Threads;
        try
        {
            TorchRuntime.Threads = 3;
            var again = Run(inputs, given, ours);
            for (int i = 0; i < single.Length; i++)
                single[i].equal(again[i]).all().item<bool>().ShouldBeTrue($"of number {i}, on three threads");
        }
        finally
        {
            TorchRuntime.Threads = threads;
        }
    }

    /// <summary>The value, and the gradient of each input.</summary>
    private static Tensor[] Run(Tensor[] inputs, Tensor given, Func<Tensor[], Tensor> function)
    {
        Tensor[] leaves = [.. inputs.Select(input => input.detach().clone().requires_grad_())];
        var value = function(leaves);
        (value * given).sum().backward();
        return [value.detach(), .. leaves.Select(leaf => leaf.grad!)];
    }

    private static Tensor Wide(Tensor x) => x.detach().to(ScalarType.Float64).requires_grad_();

    /// <summary>The largest difference, as a share of the largest number where that is above 1.</summary>
    private static double Difference(Tensor single, Tensor wide)
    {
        var exact = wide.detach().to(ScalarType.Float64);
        return ((single.detach().to(ScalarType.Float64) - exact).abs().max() / exact.abs().max().clamp(1)).item<double>();
    }
}
