using System.Buffers;
using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Safetensors;

namespace Wisca.Certificates;

/// <summary>
/// A stored tensor as rows along one of its axes, whichever it is: a row holds the elements that differ in the index of the axis alone.
/// </summary>
internal readonly struct FibreView
{
    private const int BlockElements = 1 << 18;

    public FibreView(StoredTensor tensor, int axis)
    {
        Tensor = tensor;
        var shape = tensor.Info.Shape;
        Length = checked((int)shape[axis]);
        Inner = checked((int)shape.Skip(axis + 1).Aggregate(1L, (product, size) => product * size));
        Count = Length == 0 || Inner == 0 ? 0 : checked((int)(tensor.Info.ElementCount / Length));
        AtOnce = Inner > 1 ? Inner : Math.Max(1, BlockElements / Math.Max(1, Length));
    }

    public StoredTensor Tensor { get; }

    /// <summary>Length of the axis.</summary>
    public int Length { get; }

    /// <summary>Number of elements of one index of the axis that lie together.</summary>
    public int Inner { get; }

    /// <summary>Number of rows.</summary>
    public int Count { get; }

    /// <summary>Number of rows of a block.</summary>
    public int AtOnce { get; }

    /// <summary>Number of blocks.</summary>
    public int Blocks => (Count + AtOnce - 1) / AtOnce;

    /// <summary>Reads the rows of a block.</summary>
    public double[] Read(int block)
    {
        int first = block * AtOnce, count = Math.Min(AtOnce, Count - first), size = Tensor.Info.Dtype.Bits() / 8;
        int elements = checked(count * Length);
        byte[] bytes = ArrayPool<byte>.Shared.Rent(checked(elements * size));
        Tensor.Read((long)first * Length * size, bytes.AsSpan(0, elements * size));
        double[] values = new double[elements];
        Elements.Decode(Tensor.Info.Dtype, bytes.AsSpan(0, elements * size), values);
        ArrayPool<byte>.Shared.Return(bytes);
        return Inner == 1 ? values : Transposed(values, Length, Inner);
    }

    /// <summary>Where an element of a row is in the tensor.</summary>
    public long[] IndexOf(int row, int index)
    {
        long linear = ((((long)row / Inner * Length) + index) * Inner) + (row % Inner);
        var shape = Tensor.Info.Shape;
        long[] place = new long[shape.Length];
        for (int axis = shape.Length - 1; axis >= 0; axis--) (linear, place[axis]) = Math.DivRem(linear, shape[axis]);
        return place;
    }

    public static double[] Transposed(ReadOnlySpan<double> values, int rows, int columns)
    {
        double[] result = new double[values.Length];
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++) result[(column * rows) + row] = values[(row * columns) + column];
        }

        return result;
    }
}
