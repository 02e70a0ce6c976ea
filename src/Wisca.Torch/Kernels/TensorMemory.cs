using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Wisca.Torch.Kernels;

/// <summary>The memory of tensors, for code that computes on it itself.</summary>
internal static class TensorMemory
{
    /// <summary>True where <see cref="Of"/> may be asked: float32 on the CPU, without gaps, and of a size that a span can have.</summary>
    public static bool IsPlain(Tensor tensor) =>
        tensor.dtype == ScalarType.Float32
        && tensor.device_type == DeviceType.CPU
        && tensor.is_contiguous()
        && tensor.numel() <= int.MaxValue / sizeof(float);

    /// <summary>Where a tensor's elements begin. They stay there as long as the tensor is held.</summary>
    public static unsafe float* Of(Tensor tensor)
    {
        if (!IsPlain(tensor)) throw new ArgumentException("not contiguous float32 on the CPU", nameof(tensor));
        fixed (byte* first = &MemoryMarshal.GetReference(tensor.bytes)) return (float*)first;
    }
}
