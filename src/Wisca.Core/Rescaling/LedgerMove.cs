using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>One rescaling of a checkpoint.</summary>
/// <param name="Criterion">The norm that was made equal.</param>
/// <param name="Rounding">How factors were rounded.</param>
/// <param name="MaxLog2">The clamp on |log2 s|.</param>
/// <param name="Groups">Every group, whatever became of it.</param>
/// <param name="Tensors">Digests of every tensor that was scaled.</param>
/// <param name="Lost">The original bits of elements that were rounded (only under --allow-lossy).</param>
public sealed record LedgerMove(
    Criterion Criterion,
    FactorRounding Rounding,
    double MaxLog2,
    IReadOnlyList<LedgerGroup> Groups,
    IReadOnlyDictionary<string, TensorDigests> Tensors,
    IReadOnlyList<LostElements> Lost)
{
    /// <summary>True where every factor is a power of two.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public bool PowersOfTwo => Groups.All(group => Numerics.Elements.IsPowerOfTwo(group.Factor));
}
