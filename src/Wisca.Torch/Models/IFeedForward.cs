using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>The part of a layer that sees each position by itself: [..., D] to [..., D].</summary>
internal interface IFeedForward
{
    Tensor Forward(Tensor x, ForwardPass pass);
}
