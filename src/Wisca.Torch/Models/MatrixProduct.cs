using TorchSharp;
using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>
/// Products of bfloat16 matrices, where the processor has no instructions for them, or slower ones than for float32 (without any, libtorch
/// multiplies element by element, some hundred times slower). The same operands are multiplied in float32 instead, and the result rounded:
/// it is what the instructions compute too, with sums in another order.
/// </summary>
internal static class MatrixProduct
{
    /// <summary>x W^T + b in x's type.</summary>
    public static Tensor Linear(Tensor input, Tensor weight, Tensor? bias)
    {
        var type = TypeFor(input);
        return nn.functional.linear(input.to(type), weight.to(input.dtype).to(type), bias?.to(input.dtype).to(type)).to(input.dtype);
    }

    /// <summary>The type to multiply a tensor's values in.</summary>
    public static ScalarType TypeFor(Tensor operand) =>
        operand.dtype == ScalarType.BFloat16 && operand.device_type == DeviceType.CPU && !TorchRuntime.FastBFloat16
            ? ScalarType.Float32
            : operand.dtype;
}
