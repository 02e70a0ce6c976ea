using Wisca.Transitions;

namespace Wisca.Torch.Transitions;

/// <summary>One transition in training.</summary>
/// <param name="Step">Number of optimizer steps before it.</param>
/// <param name="Solution">The factors of every group, with its norms before.</param>
/// <param name="Elapsed">What it took, the verification aside.</param>
public sealed record TransitionEvent(long Step, TransitionSolution Solution, TimeSpan Elapsed)
{
    /// <summary>The loss on the probe before and after; null where nothing was verified.</summary>
    public (double Before, double After)? Loss { get; init; }

    /// <summary>Number of groups that were scaled.</summary>
    public int Scaled => Solution.Groups.Count(group => group.Balance.Outcome == GroupOutcome.Scaled);

    /// <summary>The largest |log2 s| of a group; 0 where nothing was scaled.</summary>
    public double LargestLog2 => Solution.Groups.Max(group => Math.Abs(Math.Log2(group.Balance.Factor)));
}
