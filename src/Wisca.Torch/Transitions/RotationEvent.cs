using System.Collections.Immutable;
using Wisca.Rotations;

namespace Wisca.Torch.Transitions;

/// <summary>One rotation in training.</summary>
/// <param name="Step">Number of optimizer steps before it.</param>
/// <param name="Spaces">What it did to each space.</param>
/// <param name="Elapsed">What it took, the verification aside.</param>
public sealed record RotationEvent(long Step, ImmutableArray<SpaceRotation> Spaces, TimeSpan Elapsed)
{
    /// <summary>The loss on the probe before and after; null where nothing was verified.</summary>
    public (double Before, double After)? Loss { get; init; }

    /// <summary>The means over the rotated spaces of a kind; null where there are none.</summary>
    /// <param name="kind">The kind.</param>
    public (double Angle, (double Before, double After)? Diagonal)? Mean(RotationKind kind)
    {
        SpaceRotation[] spaces = [.. Spaces.Where(entry => entry.Space.Kind == kind && entry.Skipped is null)];
        if (spaces.Length == 0) return null;
        return (
            spaces.Average(entry => entry.Angle),
            spaces.All(entry => entry.Diagonal is not null)
                ? (spaces.Average(entry => entry.Diagonal!.Value.Before), spaces.Average(entry => entry.Diagonal!.Value.After))
                : null);
    }
}
