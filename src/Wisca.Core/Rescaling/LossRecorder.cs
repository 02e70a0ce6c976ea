using System.Buffers;
using Wisca.Checkpoints;
using Wisca.Safetensors;

namespace Wisca.Rescaling;

/// <summary>Keeps the original bits of the elements that a power of two does not leave exact.</summary>
/// <param name="matrix">The tensor.</param>
/// <param name="back">The way back.</param>
internal sealed class LossRecorder(MatrixView matrix, TensorScale back)
{
    private readonly int _size = matrix.Dtype.Bits() / 8;
    private readonly byte[] _back = new byte[matrix.RowBytes];
    private readonly ArrayBufferWriter<byte> _gaps = new(), _bits = new();
    private int _count;
    private long _last = -1;

    /// <summary>Compares a row with what scaling back its scaled form gives.</summary>
    /// <param name="row">Which.</param>
    /// <param name="original">The row as it was.</param>
    /// <param name="scaled">The row as it is written.</param>
    public void Check(int row, ReadOnlySpan<byte> original, ReadOnlySpan<byte> scaled)
    {
        if (back.Of(matrix, row) is [1]) return;
        back.Apply(matrix, row, scaled, _back);
        if (original.SequenceEqual(_back)) return;
        for (int at = 0; at < original.Length; at += _size)
        {
            var element = original.Slice(at, _size);
            if (!element.SequenceEqual(_back.AsSpan(at, _size))) Add(((long)row * matrix.Columns) + (at / _size), element);
        }
    }

    /// <summary>What was kept; null where nothing was lost.</summary>
    public LostElements? ToElements(string tensor) => _count == 0
        ? null
        : LostElements.From(tensor, _count, _gaps.WrittenSpan, _bits.WrittenSpan);

    private void Add(long index, ReadOnlySpan<byte> element)
    {
        _count++;
        long gap = index - _last;
        _last = index;
        for (; gap >= 0x80; gap >>= 7) _gaps.Write([(byte)(gap | 0x80)]);
        _gaps.Write([(byte)gap]);
        _bits.Write(element);
    }
}
