using System.Buffers;
using Wisca.Numerics;
using Wisca.Safetensors;

namespace Wisca.Rescaling;

/// <summary>Keeps the original bits of the elements that a power of two does not leave exact.</summary>
internal sealed class LossRecorder(Dtype dtype)
{
    private readonly int _size = dtype.Bits() / 8;
    private readonly ArrayBufferWriter<byte> _gaps = new(), _bits = new();
    private int _count;
    private long _last = -1;
    private byte[] _back = [];
    private double[] _inverses = [];

    /// <summary>Compares a row with what scaling back its scaled form gives.</summary>
    /// <param name="original">The row as it was.</param>
    /// <param name="scaled">The row as it is written.</param>
    /// <param name="factors">One factor for all elements, or one for each.</param>
    /// <param name="first">Index of the row's first element in the tensor.</param>
    public void Check(ReadOnlySpan<byte> original, ReadOnlySpan<byte> scaled, ReadOnlySpan<double> factors, long first)
    {
        if (factors.Length == 1 && factors[0] == 1) return;
        if (_back.Length < original.Length) _back = new byte[original.Length];
        if (_inverses.Length < factors.Length) _inverses = new double[factors.Length];
        for (int i = 0; i < factors.Length; i++) _inverses[i] = 1 / factors[i];
        var back = _back.AsSpan(0, original.Length);
        Elements.Scale(dtype, scaled, back, _inverses.AsSpan(0, factors.Length), true);
        if (back.SequenceEqual(original)) return;
        for (int at = 0; at < original.Length; at += _size)
        {
            var element = original.Slice(at, _size);
            if (element.SequenceEqual(back.Slice(at, _size))) continue;
            Add(first + (at / _size), element);
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
