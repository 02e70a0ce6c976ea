using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Safetensors;

namespace Wisca.Certificates;

/// <summary>What the ledgers of two models say lies between them, and so how far rounding may have taken them apart.</summary>
/// <param name="PowersOfTwo">True where one is the other moved by powers of two only, without loss: then no bit may differ.</param>
/// <param name="Roundings">How often every weight was rounded, from 1 to 8: the ledgers are not trusted beyond that.</param>
/// <param name="FactorRoundings">The same for what is told from many elements at once; 2 where no ledger tells, as after an undo.</param>
/// <param name="Moved">
/// True where the ledger's moves took the one's bytes to the other: then each element was multiplied and rounded, and nothing was added up.
/// </param>
internal readonly record struct Kinship(bool PowersOfTwo, int Roundings, int FactorRoundings, bool Moved)
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
        bool moved = common == shorter.Count && between.Count > 0 && StartFrom(origin, between);
        bool powersOfTwo = moved && between.All(move => move.PowersOfTwo && move.Lost.Count == 0);
        int roundings = Math.Clamp(between.Count(move => !move.PowersOfTwo || move.Lost.Count > 0), 1, MaxRoundings);
        return new Kinship(powersOfTwo, roundings, between.Count == 0 ? 2 : roundings, moved);
    }

    /// <summary>The largest relative error of a map that counts as equal:
    /// 0 for powers of two, else 4 x 2^-p, p the type's significand bits.</summary>
    public double Tolerance(Dtype dtype) => Units(dtype, 4);

    /// <summary>The largest error of an element, relative to it or to the root mean square of its channel: each move rounds it once,
    /// and the channel's factor is known to some roundings.</summary>
    public double ElementTolerance(Dtype dtype) => Units(dtype, 3 + Roundings);

    /// <summary>
    /// How far the mean product of two factors that cancel may be from 1: six deviations, of as many roundings as there were; what errors
    /// in both models add to sums of squares; and four units of float32, below which a fault is nobody's matter.
    /// </summary>
    /// <param name="dtype">The coarser of the two sides' types.</param>
    /// <param name="variance">Of the product, by one rounding of every element.</param>
    public double FactorTolerance(Dtype dtype, double variance) =>
        (6 * Math.Sqrt(FactorRoundings * variance))
        + (FactorRoundings * Math.ScaleB(1, 2 - (2 * dtype.SignificandBits())))
        + (dtype == Dtype.F64 ? 1e-12 : Math.ScaleB(1, -22));

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
