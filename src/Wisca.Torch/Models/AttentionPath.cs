namespace Wisca.Torch.Models;

/// <summary>Which operators compute attention, norms and gated activations. The two agree to rounding.</summary>
public enum AttentionPath
{
    /// <summary>Fused kernels, libtorch's and our own: neither scores nor repeated keys are held in memory.
    /// They have no second derivatives on CPUs: through our own, gradients of gradients are constants, without an error.</summary>
    Fused,

    /// <summary>Operators of libtorch one by one, which second derivatives need; every score is held.</summary>
    Eager,
}
