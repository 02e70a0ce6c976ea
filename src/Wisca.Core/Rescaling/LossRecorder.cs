using System.Runtime.InteropServices;
using Wisca.Numerics;
using Wisca.Safetensors;

namespace Wisca.Rescaling;

/// <summary>
/// Keeps the original bits of the elements that a power of two does not leave exact. What would overflow is stored as the largest finite
/// value instead: an infinity would spoil every output.
/// </summary>
internal sealed class LossRecorder(Dtype dtype)
{
    private readonly int _size = dtype.Bits() / 8;
    private readonly List<long> _indices = [];
    private readonly List<byte> _bits = [];
    private byte[] _back = [];
    private double[] _inverses = [];

    /// <summary>Compares a row with what scaling back its scaled form gives, and saturates where it overflowed.</summary>
    public void Check(ReadOnlySpan<byte> original, Span<byte> scaled, ReadOnlySpan<double> factors, long first)
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
            _indices.Add(first + (at / _size));
            _bits.AddRange(element);
            Saturate(scaled.Slice(at, _size));
        }
    }

    public LostElements? ToElements(string tensor) => _indices.Count == 0 ? null : LostElements.From(tensor, _indices, _bits);

    private void Saturate(Span<byte> element)
    {
        // An infinity's bits are one above the largest finite value's.
        switch (dtype)
        {
            case Dtype.F16 when (MemoryMarshal.Read<ushort>(element) & 0x7FFF) == 0x7C00:
            case Dtype.BF16 when (MemoryMarshal.Read<ushort>(element) & 0x7FFF) == 0x7F80:
                MemoryMarshal.Write(element, (ushort)(MemoryMarshal.Read<ushort>(element) - 1));
                break;
            case Dtype.F32 when float.IsInfinity(MemoryMarshal.Read<float>(element)):
                MemoryMarshal.Write(element, MemoryMarshal.Read<uint>(element) - 1);
                break;
            case Dtype.F64 when double.IsInfinity(MemoryMarshal.Read<double>(element)):
                MemoryMarshal.Write(element, MemoryMarshal.Read<ulong>(element) - 1);
                break;
        }
    }
}
