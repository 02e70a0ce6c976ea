namespace Wisca.Torch.Models;

/// <summary>Which operators compute attention. The two agree to rounding.</summary>
public enum AttentionPath
{
    /// <summary>libtorch's fused kernel: neither scores nor repeated keys are held in memory.
    /// It has no second derivatives on CPUs.</summary>
    Fused,

    /// <summary>Two matrix products and a softmax, which second derivatives need; it holds every score.</summary>
    Eager,
}
