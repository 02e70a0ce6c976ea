using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>The part of a layer in which positions see each other: [B, T, D] to [B, T, D].</summary>
internal interface IAttention
{
    /// <summary>Attention of x [B, T, D] to itself.</summary>
    /// <param name="x">The normalised residual stream.</param>
    /// <param name="rotary">RoPE, which reaches far enough; null for none.</param>
    /// <param name="mask">
    /// What is added to scores, [T, cached positions + T] or [B, 1, T, T]; null for the fused kernel where T positions see each other
    /// causally, or where one position sees all that are cached.
    /// </param>
    /// <param name="pass">The whole pass; eager operators need a mask.</param>
    Tensor Forward(Tensor x, RotaryTable? rotary, Tensor? mask, ForwardPass pass);
}
