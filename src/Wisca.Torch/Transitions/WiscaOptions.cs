using Wisca.Transitions;

namespace Wisca.Torch.Transitions;

/// <summary>Transitions in training: which, when, and what becomes of the optimizer's state.</summary>
public sealed record WiscaOptions
{
    /// <summary>Which transitions. With powers of two a hysteresis of 0.1 is worth giving.</summary>
    public TransitionOptions Transitions { get; init; } = new();

    /// <summary>When they happen.</summary>
    public WiscaTrigger Trigger { get; init; } = new();

    /// <summary>What becomes of the optimizer's state; it follows the weights by default.</summary>
    public StatePolicy State { get; init; } = StatePolicy.Transport;

    /// <summary>
    /// True to divide the optimizer's epsilon of a scaled parameter by the factor, as its gradient is. Without it the equivalence to
    /// changed learning rates holds but for epsilon. It needs one factor for the whole tensor. False by default.
    /// </summary>
    public bool TransportEpsilon { get; init; }
}
