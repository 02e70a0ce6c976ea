using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>What changes the product of a dense layer without changing its matrix.</summary>
internal interface ILayerAdapter
{
    /// <summary>The product that the layer gives instead of its own.</summary>
    /// <param name="input">x, [..., D].</param>
    /// <param name="weight_ED">The layer's matrix, outputs first.</param>
    /// <param name="bias">The layer's bias, [E]; null without one.</param>
    Tensor Forward(Tensor input, Tensor weight_ED, Tensor? bias);
}
