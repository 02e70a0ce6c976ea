using System.Buffers;

namespace Wisca.Checkpoints;

/// <summary>Reads a matrix in blocks of whole rows that fit the processor's cache: front to back, or where it is asked to.</summary>
internal sealed class RowReader : IDisposable
{
    private const int BlockSize = 1 << 18;
    private readonly MatrixView _matrix;
    private readonly int _rowsAtOnce;
    private readonly byte[] _block;

    public RowReader(MatrixView matrix)
    {
        _matrix = matrix;
        _rowsAtOnce = Math.Clamp(BlockSize / Math.Max(1, matrix.RowBytes), 1, Math.Max(1, matrix.Rows));
        _block = ArrayPool<byte>.Shared.Rent(_rowsAtOnce * matrix.RowBytes);
    }

    /// <summary>The first row of the block.</summary>
    public int First { get; private set; }

    /// <summary>Number of rows in the block.</summary>
    public int Count { get; private set; }

    /// <summary>The block's bytes.</summary>
    public ReadOnlySpan<byte> Block => _block.AsSpan(0, Count * _matrix.RowBytes);

    /// <summary>Reads the next block; false at the end.</summary>
    public bool Next()
    {
        First += Count;
        Count = Math.Min(_rowsAtOnce, _matrix.Rows - First);
        if (Count <= 0) return false;
        _matrix.Tensor.Read((long)First * _matrix.RowBytes, _block.AsSpan(0, Count * _matrix.RowBytes));
        return true;
    }

    /// <summary>A row as numbers, from the block that it is in; rows that are asked for in order cost a read a block.</summary>
    /// <param name="row">Which, counted from the matrix's first.</param>
    /// <param name="values">Where its elements go.</param>
    public void Decode(int row, Span<double> values)
    {
        if (row < First || row >= First + Count)
        {
            First = row - (row % _rowsAtOnce);
            Count = Math.Min(_rowsAtOnce, _matrix.Rows - First);
            _matrix.Tensor.Read((long)First * _matrix.RowBytes, _block.AsSpan(0, Count * _matrix.RowBytes));
        }

        _matrix.Decode(row, Row(row - First), values);
    }

    /// <summary>The bytes of a row of the block, counted from its first.</summary>
    public ReadOnlySpan<byte> Row(int index) => _block.AsSpan(index * _matrix.RowBytes, _matrix.RowBytes);

    public void Dispose() => ArrayPool<byte>.Shared.Return(_block);
}
