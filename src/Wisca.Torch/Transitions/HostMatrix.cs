using TorchSharp;
using Wisca.Numerics;
using Wisca.Safetensors;
using static TorchSharp.torch;

namespace Wisca.Torch.Transitions;

/// <summary>
/// A tensor that lies in the machine's own memory, row after row, where managed code reads and writes it in one pass and without a copy.
/// A stack of matrices is one below the other, a vector one row.
/// </summary>
internal sealed class HostMatrix
{
    private readonly Tensor _tensor;
    private readonly bool _isVector;

    private HostMatrix(Tensor tensor, Dtype dtype)
    {
        long[] shape = tensor.shape;
        (_tensor, Dtype, _isVector) = (tensor, dtype, shape.Length < 2);
        Columns = shape.Length == 0 ? 1 : (int)shape[^1];
        Rows = (int)(tensor.numel() / Columns);
    }

    public Dtype Dtype { get; }

    public int Rows { get; }

    public int Columns { get; }

    /// <summary>Null for what lies elsewhere, is empty, of another type, or too long for a span.</summary>
    public static HostMatrix? Of(Tensor tensor) =>
        tensor.device_type == DeviceType.CPU && tensor.is_contiguous()
        && tensor.numel() > 0 && tensor.numel() * tensor.element_size() <= int.MaxValue
        && tensor.dtype is ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16 or ScalarType.Float64
            ? new HostMatrix(tensor, tensor.dtype.ToDtype())
            : null;

    /// <summary>As <see cref="ITensorSource.Measure"/>; null where an element is NaN or infinity.</summary>
    public AxisStatistics? Measure(int axis, int parts = 1, bool addsOne = false, double[]? others = null) =>
        _isVector
            ? MatrixPass.Measure(Dtype, _tensor.bytes, Columns, axis: 1, addsOne: addsOne)
            : MatrixPass.Measure(Dtype, _tensor.bytes, Columns, axis, parts, addsOne, others);

    /// <summary>The rows from one on, multiplied by factors.</summary>
    public void Scale(int first, int count, double[]? rows, double[]? columns)
    {
        int bytes = Columns * Dtype.Bits() / 8, part = columns is null ? 0 : first / (Rows / (columns.Length / Columns));
        MatrixPass.Scale(
            Dtype, _tensor.bytes.Slice(first * bytes, count * bytes), Columns, rows is null ? [] : rows.AsSpan(first, count),
            columns is null ? [] : columns.AsSpan(part * Columns, Columns));
    }
}
