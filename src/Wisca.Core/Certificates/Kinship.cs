using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Safetensors;

namespace Wisca.Certificates;

/// <summary>What the ledgers of two models say lies between them, and so how far rounding may have taken them apart.</summary>
/// <param name="PowersOfTwo">True where one is the other moved by powers of two only, without loss: then no bit may differ.</param>
/// <param name="Roundings">How often every weight was rounded, from 1 to 8: the ledgers are not trusted beyond that.</param>
internal readonly record struct Kinship(bool PowersOfTwo, int Roundings)
{
    private const int MaxRoundings = 8;

    /// <summary>Compares the ledgers, and the one model's bytes with those that the other's moves started from.</summary>
    public static Kinship Of(Checkpoint a, Checkpoint b)
    {
        IReadOnlyList<LedgerMove> left = Ledger.Load(a.Folder)?.Moves ?? [], right = Ledger.Load(b.Folder)?.Moves ?? [];
        var (origin, shorter, longer) = left.Count < right.Count ? (a, left, right) : (b, right, left);
        int common = 0;
        while (common < shorter.Count && shorter[common].Tensors.SequenceEqual(longer[common].Tensors)) common++;
        List<LedgerMove> between = [.. shorter.Skip(common), .. longer.Skip(common)];
        bool powersOfTwo = common == shorter.Count && between.Count > 0 && between.All(move => move.PowersOfTwo && move.Lost.Count == 0)
            && StartFrom(origin, between);
        return new Kinship(powersOfTwo, Math.Clamp(between.Count(move => !move.PowersOfTwo || move.Lost.Count > 0), 1, MaxRoundings));
    }

    /// <summary>The largest relative error of a map that counts as equal:
    /// 0 for powers of two, else 4 x 2^-p, p the type's significand bits.</summary>
    public double Tolerance(Dtype dtype) => Units(dtype, 4);

    /// <summary>The largest relative error of an element: each move rounds it once,
    /// and the channel's factor is known to some roundings.</summary>
    public double ElementTolerance(Dtype dtype) => Units(dtype, 3 + Roundings);

    // Float64 weights are as precise as the certificate's own arithmetic, whose sums of thousands of terms need room.
    private double Units(Dtype dtype, int count) =>
        PowersOfTwo ? 0
        : dtype == Dtype.F64 ? 1e-12
        : count * Math.ScaleB(1, -dtype.SignificandBits());

    /// <summary>True where a model's tensors are those that some moves were first applied to.</summary>
    private static bool StartFrom(Checkpoint origin, IEnumerable<LedgerMove> moves)
    {
        var before = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (tensor, digests) in moves.SelectMany(move => move.Tensors)) before.TryAdd(tensor, digests.Before);
        return before.All(entry => origin.Find(entry.Key) is { } tensor && Ledger.Digest(tensor) == entry.Value);
    }
}
