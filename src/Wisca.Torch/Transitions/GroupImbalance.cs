using Wisca.Attention;
using Wisca.Transitions;

namespace Wisca.Torch.Transitions;

/// <summary>How far a group is from balance.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Kind">Which projections.</param>
/// <param name="Label">The group.</param>
/// <param name="Log2Ratio">log2 of the norm of the multiplied side (queries, values) over that of the divided one; 0 in balance.</param>
public readonly record struct GroupImbalance(int Layer, TransitionKind Kind, GroupLabel Label, double Log2Ratio)
{
    /// <summary>The norm of the multiplied side, of the criterion that was asked for.</summary>
    public double MultipliedNorm { get; init; }

    /// <summary>The norm of the divided side.</summary>
    public double DividedNorm { get; init; }
}
