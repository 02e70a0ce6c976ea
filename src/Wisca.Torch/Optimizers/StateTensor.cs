using static TorchSharp.torch;

namespace Wisca.Torch.Optimizers;

/// <summary>
/// A tensor kept beside a parameter while it trains. When the parameter is multiplied by s, its gradient is divided by s, and what was
/// gathered from either has to follow: the tensor is multiplied by s^Degree.
/// </summary>
/// <param name="Name">The state's name, unique for the parameter: <c>exp_avg</c>.</param>
/// <param name="Tensor">The tensor itself, of the parameter's shape. It belongs to its keeper:
/// change its values, do not dispose of it.</param>
/// <param name="Degree">+1 for copies of the weight, -1 for momenta and first moments, -2 for second moments.</param>
public sealed record StateTensor(string Name, Tensor Tensor, int Degree);
