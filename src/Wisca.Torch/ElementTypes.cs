using TorchSharp;
using Wisca.Safetensors;

namespace Wisca.Torch;

/// <summary>The types of weights, as safetensors and as libtorch call them.</summary>
internal static class ElementTypes
{
    /// <summary>libtorch's name of F16, BF16, F32 or F64.</summary>
    public static torch.ScalarType ToScalarType(this Dtype dtype) => dtype switch
    {
        Dtype.F16 => torch.ScalarType.Float16,
        Dtype.BF16 => torch.ScalarType.BFloat16,
        Dtype.F32 => torch.ScalarType.Float32,
        Dtype.F64 => torch.ScalarType.Float64,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "not a type of weights"),
    };

    /// <summary>The name in safetensors of one of the same four.</summary>
    public static Dtype ToDtype(this torch.ScalarType type) => type switch
    {
        torch.ScalarType.Float16 => Dtype.F16,
        torch.ScalarType.BFloat16 => Dtype.BF16,
        torch.ScalarType.Float32 => Dtype.F32,
        torch.ScalarType.Float64 => Dtype.F64,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not a type of weights"),
    };
}
