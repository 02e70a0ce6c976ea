using System.Text.Json.Serialization;
using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>One rescaling of a checkpoint.</summary>
/// <param name="Criterion">The norm that was made equal.</param>
/// <param name="Rounding">How factors were rounded.</param>
/// <param name="MaxLog2">The clamp on |log2 s|.</param>
/// <param name="Groups">Every group, whatever became of it.</param>
/// <param name="Tensors">Digests of every tensor that was scaled.</param>
/// <param name="Lost">The original bits of elements that a power of two took below the normal range of their type.</param>
/// <param name="InTraining">True where the factors were applied while the model trained: then no file ever held the weights before.</param>
/// <param name="Vectors">Vectors that followed by a factor of their own for each
/// element (magnitudes of a DoRA adapter); null for none.</param>
/// <param name="Rotations">Spaces that were rotated; null for none. A move either scales or rotates.</param>
public sealed record LedgerMove(
    Criterion Criterion,
    FactorRounding Rounding,
    double MaxLog2,
    IReadOnlyList<LedgerGroup> Groups,
    IReadOnlyDictionary<string, TensorDigests> Tensors,
    IReadOnlyList<LostElements> Lost,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool InTraining = false,
    IReadOnlyList<LedgerVector>? Vectors = null,
    IReadOnlyList<LedgerRotation>? Rotations = null)
{
    /// <summary>What a joint balance made small, and by how much; null where the criterion minimises nothing of all weights
    /// together, or where nothing was recorded.</summary>
    public BalanceObjective? Objective { get; init; }

    /// <summary>A change of tensors by other means than factors (merging, balancing an adapter):
    /// it is kept when moves are undone.</summary>
    internal static LedgerMove Edited(IReadOnlyDictionary<string, TensorDigests> tensors) =>
        new(default, FactorRounding.None, 0, [], tensors, []);

    /// <summary>True where it changed the gauge, so that undoing takes it back.</summary>
    [JsonIgnore]
    public bool IsMove => Groups.Count > 0 || Rotations is not null;

    /// <summary>True where every factor is a power of two.</summary>
    [JsonIgnore]
    public bool PowersOfTwo =>
        Rotations is null && Groups.All(group => group.PowersOfTwo)
        && (Vectors ?? []).All(vector => Array.TrueForAll(vector.Decode(), Numerics.Elements.IsPowerOfTwo));

    internal string? FindFault()
    {
        if (!Enum.IsDefined(Criterion) || !Enum.IsDefined(Rounding)) return "an unknown criterion or rounding";
        if (Tensors.FirstOrDefault(tensor => tensor.Value?.Before is null || tensor.Value.After is null) is { Key: { } tensor })
            return $"no digests of '{tensor}'";
        if (Lost.Select(lost => lost is null ? "null" : lost.FindFault()).FirstOrDefault(fault => fault is not null) is { } lost)
            return lost;
        if (
            (Vectors ?? [])
                .Select(vector =>
                    vector is null ? "null"
                    : !Tensors.ContainsKey(vector.Tensor) ? $"no digests of '{vector.Tensor}', which is scaled"
                    : vector.FindFault())
                .FirstOrDefault(fault => fault is not null) is
            { } wrong)
            return wrong;
        foreach (var rotation in Rotations ?? [])
        {
            if ((rotation is null ? "a rotation that is null" : rotation.FindFault()) is { } fault) return fault;
            if (rotation!.Slices.FirstOrDefault(slice => !Tensors.ContainsKey(slice.Tensor)) is { } slice)
                return $"no digests of '{slice.Tensor}', which is rotated";
        }

        foreach (var group in Groups)
        {
            if (group is null || group.Slices.Contains(null!)) return "a group or slice that is null";
            if (!Enum.IsDefined(group.Transition) || !Enum.IsDefined(group.Granularity) || !Enum.IsDefined(group.Outcome))
                return $"layer {group.Layer}: an unknown transition, granularity or outcome";
            if (group.FindFault() is { } fault) return $"layer {group.Layer}: {fault}";
            foreach (var slice in group.Slices)
            {
                if (slice.Axis is not (0 or 1) || slice.Exponent is not (1 or -1 or -2) || slice.Parts < 1)
                    return $"'{slice.Tensor}': axis {slice.Axis} or exponent {slice.Exponent}";
                if (!slice.HasValidIndices()) return $"'{slice.Tensor}': '{slice.Indices}' is not an ascending list of indices";
                if (group.Moves && !Tensors.ContainsKey(slice.Tensor)) return $"no digests of '{slice.Tensor}', which is scaled";
            }
        }

        return null;
    }
}
