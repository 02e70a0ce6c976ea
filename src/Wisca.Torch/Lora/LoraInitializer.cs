using Wisca.Adapters;
using Wisca.Numerics;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Torch.Lora;

/// <summary>
/// Draws the factors of new adapters. Like those of a model's weights, the numbers follow from a seed and the tensor's name, in float64 and
/// rounded once; PiSSA and OLoRA decompose the base in float64 and leave the rest of it in its place.
/// </summary>
internal static class LoraInitializer
{
    /// <summary>Refuses what cannot be taken out of a base, before any of it is touched.</summary>
    public static void Check(LowRankLayer layer, LoraInitialization initialization)
    {
        if (initialization is LoraInitialization.Pissa or LoraInitialization.Olora && layer.Rank > Math.Min(layer.Inputs, layer.Outputs))
            throw new WiscaException(
                $"rank {layer.Rank} of '{layer.Name}' exceeds what its matrix [{layer.Outputs}, {layer.Inputs}] has",
                "give the adapter a lower rank");
    }

    public static void Fill(LowRankLayer layer, LoraInitialization initialization, ulong seed)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        ulong state = WeightInitializer.State(seed, $"{layer.Name}.lora_A.weight");
        double bound = 1 / Math.Sqrt(layer.Inputs);
        switch (initialization)
        {
            case LoraInitialization.Default:
                Draw(() => bound * (((ProbeGenerator.Next(ref state) >> 11) * Math.ScaleB(1, -52)) - 1));
                break;
            case LoraInitialization.Gaussian:
                Draw(() => ProbeGenerator.Normal(ref state) / layer.Rank);
                break;
            case LoraInitialization.Pissa:
                var (u, s, vt) = linalg.svd(layer.Base().to(ScalarType.Float64), false);
                var root = s.narrow(0, 0, layer.Rank).Over(layer.Scale).sqrt();
                TakeOut(layer, root.unsqueeze(1) * vt.narrow(0, 0, layer.Rank), u.narrow(1, 0, layer.Rank) * root);
                break;
            case LoraInitialization.Olora:
                var (q, r) = linalg.qr(layer.Base().to(ScalarType.Float64));
                TakeOut(layer, r.narrow(0, 0, layer.Rank), q.narrow(1, 0, layer.Rank));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(initialization), initialization, null);
        }

        layer.Magnitude?.copy_(layer.Lengths());

        void Draw(Func<double> next)
        {
            double[] numbers = new double[layer.A.numel()];
            for (int i = 0; i < numbers.Length; i++) numbers[i] = next();
            layer.A.copy_(tensor(numbers, layer.A.shape));
        }
    }

    private static void TakeOut(LowRankLayer layer, Tensor a, Tensor b)
    {
        layer.A.copy_(a);
        layer.B.copy_(b);
        layer.Initial = (layer.A.detach().clone().DetachFromDisposeScope(), layer.B.detach().clone().DetachFromDisposeScope());

        // From the factors as they are stored, so that base and factors add up to what was there.
        layer.Store(
            layer.Base().to(ScalarType.Float64) - layer.B.to(ScalarType.Float64).matmul(layer.A.to(ScalarType.Float64)).Times(layer.Scale));
    }
}
