using static TorchSharp.torch;

namespace Wisca.Optimizers;

/// <summary>One parameter in one step: the weights to change, and a gradient of the same type and layout.</summary>
internal readonly record struct ParameterUpdate(OptimizedParameter Parameter, Tensor Weight, Tensor Gradient)
{
    public Tensor State(string name) => Parameter[name];
}
