using Wisca.Architectures;
using static TorchSharp.torch;

namespace Wisca.Models;

/// <summary>
/// Cosines and sines of RoPE, [positions, pairs], computed in float64 and rounded once. They grow with the longest sequence and are no
/// part of the model's state.
/// </summary>
internal sealed class RotaryTable(RopeConfig config) : IDisposable
{
    private Tensor? _cos, _sin;

    /// <summary>Makes sure that the table reaches far enough, in the right type and place.</summary>
    public void Reach(long positions, ScalarType dtype, Device device)
    {
        if (_cos is not null && _cos.shape[0] >= positions && _cos.dtype == dtype && _cos.device_type == device.type) return;

        // A sequence that grows token by token asks again and again.
        if (_cos is not null) positions = Math.Max(positions, 2 * _cos.shape[0]);
        Dispose();
        int pairs = config.Frequencies.Length;
        double[] cos = new double[positions * pairs], sin = new double[positions * pairs];
        for (int position = 0; position < positions; position++)
        {
            for (int pair = 0; pair < pairs; pair++)
                (sin[(position * pairs) + pair], cos[(position * pairs) + pair]) = Math.SinCos(position * config.Frequencies[pair]);
        }

        using var scope = NewDisposeScope();
        _cos = tensor(cos, [positions, pairs]).to(dtype, device).DetachFromDisposeScope();
        _sin = tensor(sin, [positions, pairs]).to(dtype, device).DetachFromDisposeScope();
    }

    /// <summary>Turns x [B, heads, T, d], whose positions are begin to begin + T - 1.</summary>
    public Tensor Rotate(Tensor x, long begin)
    {
        int pairs = config.Frequencies.Length;
        long length = x.shape[2];
        Tensor cos = _cos!.narrow(0, begin, length), sin = _sin!.narrow(0, begin, length);
        bool partial = x.shape[3] > 2 * pairs;
        var turned = partial ? x.narrow(3, 0, 2 * pairs) : x;
        if (config.Pairs == RopePairs.Half)
        {
            Tensor first = turned.narrow(3, 0, pairs), second = turned.narrow(3, pairs, pairs);
            turned = cat([(first * cos) - (second * sin), (second * cos) + (first * sin)], 3);
        }
        else
        {
            var both = turned.unflatten(3, pairs, 2);
            Tensor first = both.select(4, 0), second = both.select(4, 1);
            turned = stack([(first * cos) - (second * sin), (second * cos) + (first * sin)], 4).flatten(3);
        }

        return partial ? cat([turned, x.narrow(3, 2 * pairs, x.shape[3] - (2 * pairs))], 3) : turned;
    }

    public void Dispose()
    {
        _cos?.Dispose();
        _sin?.Dispose();
        (_cos, _sin) = (null, null);
    }
}
