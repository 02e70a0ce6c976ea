using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Safetensors;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Torch.Proofs;

/// <summary>
/// Moves every weight of B that differs from A's by half a unit in the last place, up or down by chance: what the rounding of a right
/// transition may do to it at most. The weights are moved where they lie, and read from the checkpoint again afterwards, so that this
/// needs no memory for a third model.
/// </summary>
internal sealed class WeightRounding
{
    // Elements moved at a time; they are then held in float64.
    private const int Piece = 1 << 20;

    private readonly List<RoundedWeight> _weights = [];

    /// <summary>Finds what differs.</summary>
    /// <param name="a">A.</param>
    /// <param name="storedA">What A's parameters were read from.</param>
    /// <param name="b">B, as it was read.</param>
    /// <param name="storedB">What B's parameters were read from.</param>
    /// <param name="written">
    /// Parameters of B that were computed anew from A and something else: all their elements were rounded, also those that came out as
    /// they were.
    /// </param>
    public WeightRounding(
        Decoder a,
        IReadOnlyDictionary<string, StoredTensor> storedA,
        Decoder b,
        IReadOnlyDictionary<string, StoredTensor> storedB,
        IReadOnlySet<string> written)
    {
        var parametersA = a.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter, StringComparer.Ordinal);
        var names = b.Config.Names;
        string head = b.Config.TiedHead ? $"{names.Root}.{names.Embedding}." : names.Head + ".";
        int index = 0;
        foreach (var (name, parameter) in b.named_parameters())
        {
            index++;
            Tensor? other = parametersA.GetValueOrDefault(name);
            if (other is not null && !other.shape.AsSpan().SequenceEqual(parameter.shape)) other = null;
            bool whole = other is null || written.Contains(name);
            if (!whole && Same(parameter, other!)) continue;
            var stored = storedB[name];
            var coarsest = stored.Info.Dtype;
            if (storedA.TryGetValue(name, out var before) && before.Info.Dtype.SignificandBits() < coarsest.SignificandBits())
                coarsest = before.Info.Dtype;
            bool isHead = name.StartsWith(head, StringComparison.Ordinal);
            _weights.Add(new RoundedWeight(index, parameter, whole ? null : other, stored, coarsest, isHead));
        }
    }

    /// <summary>Moves the weights, from the values they were stored with.</summary>
    /// <param name="draw">Which of the sequences of signs.</param>
    /// <param name="headOnly">True to leave all but the output projection as it is.</param>
    public void Move(int draw, bool headOnly = false)
    {
        using var scope = NewDisposeScope();
        foreach (var weight in _weights.Where(weight => weight.IsHead || !headOnly))
        {
            WeightLoader.Copy(weight.Stored, weight.Parameter);
            Move(weight, draw);
        }
    }

    /// <summary>Gives the weights the values they were stored with.</summary>
    /// <param name="headOnly">True to leave all but the output projection as it is.</param>
    public void Restore(bool headOnly = false)
    {
        foreach (var weight in _weights.Where(weight => weight.IsHead || !headOnly)) WeightLoader.Copy(weight.Stored, weight.Parameter);
    }

    private static bool Same(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        return a.eq(b).all().item<bool>();
    }

    private static void Move(RoundedWeight weight, int draw)
    {
        Tensor flat = weight.Parameter.view(-1);
        var other = weight.Other?.contiguous().view(-1);
        var (unit, exponent) = Unit(weight.Coarsest, flat.dtype);
        ulong state = unchecked(((ulong)weight.Index << 32) + (ulong)draw);
        state = ProbeGenerator.Next(ref state);
        ulong signs = 0;
        for (long begin = 0; begin < flat.shape[0]; begin += Piece)
        {
            using var step = NewDisposeScope();
            int count = (int)Math.Min(Piece, flat.shape[0] - begin);
            var place = flat.narrow(0, begin, count);
            double[] values = Values(place);
            double[]? others = other is null ? null : Values(other.narrow(0, begin, count));
            for (int i = 0; i < count; i++)
            {
                if ((i & 63) == 0) signs = ProbeGenerator.Next(ref state);
                bool up = (signs & 1) != 0;
                signs >>= 1;
                double value = values[i];
                if ((others is not null && others[i] == value) || !double.IsFinite(value)) continue;
                int own = (int)((BitConverter.DoubleToInt64Bits(value) >> 52) & 0x7FF) - 1023;
                double move = Math.ScaleB(unit, Math.Max(own, exponent));
                values[i] = up ? value + move : value - move;
            }

            place.copy_(tensor(values));
        }

        static double[] Values(Tensor piece) => piece.to(ScalarType.Float64).data<double>().ToArray();
    }

    /// <summary>
    /// How far numbers from 1 to 2 move, and the exponent below which the type's spacing no longer shrinks. What is computed in the type
    /// it is stored in cannot move by half a unit, and moves by a whole one.
    /// </summary>
    private static (double Unit, int Exponent) Unit(Dtype stored, ScalarType computed)
    {
        var coarsest = computed.ToDtype() is var type && type.SignificandBits() < stored.SignificandBits() ? type : stored;
        int bits = coarsest.SignificandBits();
        double unit = Math.ScaleB(1, bits < type.SignificandBits() ? -bits : 1 - bits);
        return (unit, coarsest switch { Dtype.F16 => -14, Dtype.F64 => -1022, _ => -126 });
    }

    private sealed record RoundedWeight(int Index, Tensor Parameter, Tensor? Other, StoredTensor Stored, Dtype Coarsest, bool IsHead);
}
