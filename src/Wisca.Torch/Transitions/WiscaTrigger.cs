using System.Collections.Immutable;

namespace Wisca.Torch.Transitions;

/// <summary>When transitions happen in training. The defaults are the paper's: before the first step and then every 250.</summary>
public sealed record WiscaTrigger
{
    /// <summary>True for a transition before the first step. True by default.</summary>
    public bool AtStart { get; init; } = true;

    /// <summary>The number of steps between transitions; 0 for none. 250 by default.</summary>
    public long Every { get; init; } = 250;

    /// <summary>Further steps after which there is one.</summary>
    public ImmutableArray<long> Steps { get; init; } = [];

    /// <summary>
    /// A transition follows a step that leaves a group with |log2(n(W_1) / n(W_2))| above this;
    /// null for none. The norms are then measured after every step.
    /// </summary>
    public double? Threshold { get; init; }

    /// <summary>The last step that a transition may follow; null for no end.</summary>
    public long? Until { get; init; }

    /// <summary>True where a transition is due after so many steps, whatever the weights are.</summary>
    public bool IsDue(long step) => IsAllowed(step) && (step == 0 ? AtStart : (Every > 0 && step % Every == 0)) | Steps.Contains(step);

    /// <summary>True where a transition may happen after so many steps.</summary>
    internal bool IsAllowed(long step) => step <= (Until ?? long.MaxValue);
}
