using Wisca.Adapters;
using Wisca.Torch.Lora;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Tests.Torch;

/// <summary>Tokens, losses and random factors for the tests of adapters.</summary>
internal static class LoraRun
{
    public static Tensor Ids(int seed = 3) => tensor(TinyFamilies.Tokens(20, seed).Select(id => (long)id).ToArray(), [2, 10]);

    /// <summary>Logits in float64, flat.</summary>
    public static double[] Logits(Decoder decoder, int seed = 3)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        return decoder.forward(Ids(seed)).to(ScalarType.Float64).contiguous().data<double>().ToArray();
    }

    public static double Backward(LoraModel lora, int seed)
    {
        using var scope = NewDisposeScope();
        foreach (var (_, parameter) in lora.Parameters) parameter.grad = null;
        var ids = Ids(seed);
        using var loss = lora.Decoder.Loss(ids.narrow(1, 0, 9), ids.narrow(1, 1, 9));
        (loss.Total / loss.Targets).backward();
        return loss.Mean;
    }

    public static double Loss(LoraModel lora, int seed)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var ids = Ids(seed);
        using var loss = lora.Decoder.Loss(ids.narrow(1, 0, 9), ids.narrow(1, 1, 9));
        return loss.Mean;
    }

    /// <summary>Fills B (and magnitudes) with numbers as after a training.</summary>
    public static void Disturb(LoraModel lora, double deviation = 0.2, ulong seed = 9)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        using var generator = new Generator(seed);
        foreach (var (name, parameter) in lora.Parameters)
        {
            if (!name.Contains("lora_A", StringComparison.Ordinal))
                parameter.add_(deviation * randn(parameter.shape, ScalarType.Float64, generator: generator).to(parameter.dtype));
        }
    }

    public static AdapterConfig Config(
        TargetModules? targets = null, bool dora = false, LoraInitialization initialization = LoraInitialization.Default,
        double dropout = 0, int rank = 3
    ) =>
        AdapterConfig.Create(
            new AdapterSettings
            {
                Targets = targets ?? TargetModules.AllLinear,
                Rank = rank,
                Alpha = 5,
                Dora = dora,
                Initialization = initialization,
                Dropout = dropout,
            });

    /// <summary>Two ways to one function, both in float32, of models of <see cref="TinyFamilies"/>: some 500 roundings on the way to a
    /// logit, and as many on the way to the weights, which are merged, rescaled, or decomposed.</summary>
    public static void ShouldBeNear(double[] logits, double[] expected) =>
        Largest(logits, expected).ShouldBeLessThan(Rounding.Of(Rounding.Float32, 1000) * expected.Max(Math.Abs));

    public static double Largest(double[] a, double[] b) => a.Zip(b, (x, y) => Math.Abs(x - y)).Max();

    public static double[] Values(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.detach().to(ScalarType.Float64).contiguous().data<double>().ToArray();
    }
}
