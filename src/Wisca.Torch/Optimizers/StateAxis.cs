using static TorchSharp.torch;

namespace Wisca.Torch.Optimizers;

/// <summary>What an axis of a state tensor has to do with its parameter.</summary>
/// <param name="Parameter">The axis of the parameter that it follows; null where it follows none, as the columns of a basis.</param>
/// <param name="Basis">
/// Null where its indices are those of the parameter. Else they are coordinates in the orthonormal columns of this state tensor, whose rows
/// follow the parameter: they stay what they are when the parameter's axis is turned and the basis with it.
/// </param>
public sealed record StateAxis(int? Parameter, Tensor? Basis = null);
