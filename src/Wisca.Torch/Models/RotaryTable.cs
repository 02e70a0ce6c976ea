using System.Collections.Immutable;
using Wisca.Attention;
using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>
/// Cosines and sines of RoPE, [positions, rotated channels], computed in float64 and rounded once; the sine of a pair's first channel is
/// negated. They grow with the longest sequence, change with its length where the frequencies do, and are no part of the model's state.
/// </summary>
internal sealed class RotaryTable(RopeConfig config) : IDisposable
{
    private Tensor? _cos, _sin;
    private ImmutableArray<double> _frequencies;

    /// <summary>Makes sure that the table reaches far enough, in the right type and place.</summary>
    public void Reach(long positions, ScalarType dtype, Device device)
    {
        var frequencies = config.FrequenciesOf(positions);
        bool same = !_frequencies.IsDefault && (_frequencies == frequencies || _frequencies.SequenceEqual(frequencies));
        if (same && _cos is not null && _cos.shape[0] >= positions && _cos.dtype == dtype && _cos.device_type == device.type) return;

        // A sequence that grows token by token asks again and again.
        if (same && _cos is not null) positions = Math.Max(positions, 2 * _cos.shape[0]);
        Dispose();
        _frequencies = frequencies;
        int pairs = frequencies.Length, width = 2 * pairs;
        var (stride, apart) = config.Pairs == RopePairs.Half ? (1, pairs) : (2, 1);
        double[] cos = new double[positions * width], sin = new double[positions * width];
        for (int position = 0; position < positions; position++)
        {
            for (int pair = 0; pair < pairs; pair++)
            {
                int first = (position * width) + (pair * stride), second = first + apart;
                var (sine, cosine) = Math.SinCos(position * frequencies[pair]);
                (sin[second], cos[second]) = (config.Magnitude * sine, config.Magnitude * cosine);
                (sin[first], cos[first]) = (-sin[second], cos[second]);
            }
        }

        using var scope = NewDisposeScope();
        _cos = tensor(cos, [positions, width]).to(dtype, device).DetachFromDisposeScope();
        _sin = tensor(sin, [positions, width]).to(dtype, device).DetachFromDisposeScope();
    }

    /// <summary>
    /// Turns x [B, T, heads, d], each token by its position: (a, b) becomes (a cos - b sin, b cos + a sin), as the product with
    /// the cosines plus the product of the exchanged channels with the signed sines.
    /// </summary>
    public Tensor Rotate(Tensor x, ForwardPass pass)
    {
        int pairs = config.Frequencies.Length;
        Tensor cos = Rows(_cos!, x, pass), sin = Rows(_sin!, x, pass);
        bool partial = x.shape[3] > 2 * pairs;
        var turned = partial ? x.narrow(3, 0, 2 * pairs) : x;
        var exchanged = config.Pairs == RopePairs.Half ? turned.roll(pairs, 3) : turned.unflatten(3, pairs, 2).flip(4).flatten(3);
        turned = (turned * cos).Plus(exchanged * sin);
        return partial ? cat([turned, x.narrow(3, 2 * pairs, x.shape[3] - (2 * pairs))], 3) : turned;
    }

    /// <summary>How pairs lie: the halves of the rotated channels, or neighbours.</summary>
    public bool PairsHalves => config.Pairs == RopePairs.Half;

    /// <summary>The rows of each token of a pass, [T, rotated channels], or [B x T, rotated channels] where it says positions.</summary>
    public (Tensor Cosines, Tensor Sines) RowsOf(ForwardPass pass, long length) => pass.Positions is { } positions
        ? (_cos!.index_select(0, positions.flatten()), _sin!.index_select(0, positions.flatten()))
        : (_cos!.narrow(0, 0, length), _sin!.narrow(0, 0, length));

    private static Tensor Rows(Tensor table, Tensor x, ForwardPass pass) =>
        (
            pass.Positions is null
                ? table.narrow(0, pass.Begin, x.shape[1])
                : table.index_select(0, pass.Positions.flatten()).unflatten(0, x.shape[0], x.shape[1])
        ).unsqueeze(-2);

    public void Dispose()
    {
        _cos?.Dispose();
        _sin?.Dispose();
        (_cos, _sin) = (null, null);
    }
}
