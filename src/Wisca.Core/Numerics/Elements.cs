using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Wisca.Safetensors;

namespace Wisca.Numerics;

/// <summary>
/// Conversions between stored elements and the types that are computed with. Vectors are 256 bits wide whatever the machine, so
/// results do not depend on it.
/// </summary>
internal static class Elements
{
    private const int Lanes = 8;

    /// <summary>Largest finite value of a type.</summary>
    public static double MaxFinite(Dtype dtype) => dtype switch
    {
        Dtype.F16 => 65504,
        Dtype.BF16 => BitConverter.UInt32BitsToSingle(0x7F7F_0000),
        Dtype.F32 => float.MaxValue,
        Dtype.F64 => double.MaxValue,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, null),
    };

    /// <summary>Smallest positive value of a type that has its full precision.</summary>
    public static double MinNormal(Dtype dtype) => dtype switch
    {
        Dtype.F16 => 1.0 / (1 << 14),
        Dtype.BF16 or Dtype.F32 => Math.ScaleB(1, -126),
        Dtype.F64 => Math.ScaleB(1, -1022),
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, null),
    };

    /// <summary>True where the factor is a power of two, by which multiplying loses no bit inside the type's normal range.</summary>
    public static bool IsPowerOfTwo(double factor) => double.IsPow2(factor);

    /// <summary>
    /// Decodes F16, BF16 or F32 exactly. F16 infinities and NaN become values of at least 65536, which no finite F16 is.
    /// </summary>
    public static void Decode(Dtype dtype, ReadOnlySpan<byte> source, Span<float> target)
    {
        switch (dtype)
        {
            case Dtype.F32:
                MemoryMarshal.Cast<byte, float>(source).CopyTo(target);
                break;
            case Dtype.BF16:
                DecodeBF16(MemoryMarshal.Cast<byte, ushort>(source), target);
                break;
            case Dtype.F16:
                DecodeF16(MemoryMarshal.Cast<byte, ushort>(source), target);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(dtype), dtype, null);
        }
    }

    /// <summary>Decodes any rescalable type exactly into float64.</summary>
    public static void Decode(Dtype dtype, ReadOnlySpan<byte> source, Span<double> target)
    {
        if (dtype == Dtype.F64)
        {
            MemoryMarshal.Cast<byte, double>(source).CopyTo(target);
            return;
        }

        Span<float> singles = stackalloc float[256];
        int size = dtype.Bits() / 8;
        for (int done = 0; done < target.Length; done += singles.Length)
        {
            int count = Math.Min(singles.Length, target.Length - done);
            Decode(dtype, source.Slice(done * size, count * size), singles[..count]);
            int i = 0;
            for (; i <= count - Lanes; i += Lanes)
            {
                var (low, high) = Vector256.Widen(Vector256.Create(singles.Slice(i, Lanes)));
                low.CopyTo(target[(done + i)..]);
                high.CopyTo(target[(done + i + 4)..]);
            }

            for (; i < count; i++) target[done + i] = singles[i];
        }
    }

    /// <summary>
    /// Multiplies elements and stores them in the same type. The product is formed in float64 and rounded once, to nearest with
    /// ties to even, into the stored type.
    /// </summary>
    /// <param name="dtype">The stored type.</param>
    /// <param name="source">The elements' bytes.</param>
    /// <param name="target">Where the products go; may be <paramref name="source"/>.</param>
    /// <param name="factors">One factor for all elements, or one for each.</param>
    /// <param name="powersOfTwo">True where every factor is a power of two: single precision then gives the same result, faster.</param>
    public static void Scale(Dtype dtype, ReadOnlySpan<byte> source, Span<byte> target, ReadOnlySpan<double> factors, bool powersOfTwo)
    {
        if (factors.Length == 1 && factors[0] == 1)
        {
            source.CopyTo(target);
            return;
        }

        if (dtype == Dtype.F64) ScaleF64(MemoryMarshal.Cast<byte, double>(source), MemoryMarshal.Cast<byte, double>(target), factors);
        else if (dtype == Dtype.F32)
            ScaleF32(MemoryMarshal.Cast<byte, float>(source), MemoryMarshal.Cast<byte, float>(target), factors, powersOfTwo);
        else if (dtype is not (Dtype.F16 or Dtype.BF16)) throw new ArgumentOutOfRangeException(nameof(dtype), dtype, null);
        else Scale16(dtype, MemoryMarshal.Cast<byte, ushort>(source), MemoryMarshal.Cast<byte, ushort>(target), factors, powersOfTwo);
    }

    /// <summary>Stores finite numbers in a type, rounded once, to nearest with ties to even; what is too large becomes infinity.</summary>
    public static void Encode(Dtype dtype, ReadOnlySpan<double> source, Span<byte> target)
    {
        switch (dtype)
        {
            case Dtype.F64:
                MemoryMarshal.AsBytes(source).CopyTo(target);
                break;
            case Dtype.F32:
                var singles = MemoryMarshal.Cast<byte, float>(target);
                for (int i = 0; i < source.Length; i++) singles[i] = (float)source[i];
                break;
            case Dtype.F16 or Dtype.BF16:
                Encode16(dtype, source, MemoryMarshal.Cast<byte, ushort>(target));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(dtype), dtype, null);
        }
    }

    private static void Encode16(Dtype dtype, ReadOnlySpan<double> source, Span<ushort> target)
    {
        int i = 0;
        for (; i <= source.Length - (2 * Lanes); i += 2 * Lanes)
            Vector256.Narrow(Eight(source[i..]), Eight(source[(i + Lanes)..])).CopyTo(target[i..]);
        if (i == source.Length) return;
        Span<double> rest = stackalloc double[2 * Lanes];
        Span<ushort> encoded = stackalloc ushort[2 * Lanes];
        rest.Clear();
        source[i..].CopyTo(rest);
        Encode16(dtype, rest, encoded);
        encoded[..(source.Length - i)].CopyTo(target[i..]);

        Vector256<uint> Eight(ReadOnlySpan<double> values) =>
            Encode(dtype, NarrowToOdd(Vector256.Create(values[..4]), Vector256.Create(values[4..8])));
    }

    private static void ScaleF64(ReadOnlySpan<double> source, Span<double> target, ReadOnlySpan<double> factors)
    {
        if (factors.Length == 1) for (int i = 0; i < source.Length; i++) target[i] = source[i] * factors[0];
        else for (int i = 0; i < source.Length; i++) target[i] = source[i] * factors[i];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScaleF32(ReadOnlySpan<float> source, Span<float> target, ReadOnlySpan<double> factors, bool powersOfTwo)
    {
        int i = 0;
        for (; i <= source.Length - Lanes; i += Lanes)
        {
            var values = Vector256.Create(source.Slice(i, Lanes));
            var (low, high) = Factors(factors, i);
            if (powersOfTwo)
            {
                (values * Vector256.Narrow(low, high)).CopyTo(target[i..]);
                continue;
            }

            var (lowValues, highValues) = Vector256.Widen(values);
            Vector256.Narrow(lowValues * low, highValues * high).CopyTo(target[i..]);
        }

        for (; i < source.Length; i++) target[i] = (float)(source[i] * factors[factors.Length == 1 ? 0 : i]);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scale16(
        Dtype dtype, ReadOnlySpan<ushort> source, Span<ushort> target, ReadOnlySpan<double> factors, bool powersOfTwo)
    {
        int i = 0;
        for (; i <= source.Length - (2 * Lanes); i += 2 * Lanes)
        {
            var (low, high) = Vector256.Widen(Vector256.Create(source.Slice(i, 2 * Lanes)));
            Vector256.Narrow(
                Encode(dtype, Product(Decode(dtype, low), factors, i, powersOfTwo)),
                Encode(dtype, Product(Decode(dtype, high), factors, i + Lanes, powersOfTwo))).CopyTo(target[i..]);
        }

        if (i == source.Length) return;
        // The rest goes through the same code in a padded block.
        Span<ushort> rest = stackalloc ushort[2 * Lanes];
        Span<double> restFactors = stackalloc double[2 * Lanes];
        rest.Clear();
        restFactors.Fill(factors[0]);
        source[i..].CopyTo(rest);
        if (factors.Length > 1) factors[i..].CopyTo(restFactors);
        int count = source.Length - i;
        Scale16(dtype, rest, rest, restFactors, powersOfTwo);
        rest[..count].CopyTo(target[i..]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<double> Low, Vector256<double> High) Factors(ReadOnlySpan<double> factors, int i) => factors.Length == 1
        ? (Vector256.Create(factors[0]), Vector256.Create(factors[0]))
        : (Vector256.Create(factors.Slice(i, 4)), Vector256.Create(factors.Slice(i + 4, 4)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Product(Vector256<float> values, ReadOnlySpan<double> factors, int i, bool powersOfTwo)
    {
        var (low, high) = Factors(factors, i);
        if (powersOfTwo) return values * Vector256.Narrow(low, high);
        var (lowValues, highValues) = Vector256.Widen(values);
        return NarrowToOdd(lowValues * low, highValues * high);
    }

    /// <summary>
    /// Narrows to single precision rounding to odd: truncate, and set the last bit where bits were cut off. A second rounding, to a
    /// type at least two bits shorter, is then the same as rounding once (Boldo and Melquiond, "Emulation of FMA and correctly
    /// rounded sums: proved algorithms using rounding to odd", IEEE Trans. Computers 57, 2008).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> NarrowToOdd(Vector256<double> low, Vector256<double> high)
    {
        var nearest = Vector256.Narrow(low, high);
        var (lowBack, highBack) = Vector256.Widen(nearest);
        var inexact = ~Vector256.Narrow(Vector256.Equals(lowBack, low).AsInt64(), Vector256.Equals(highBack, high).AsInt64());
        var away = Vector256.Narrow(
            Vector256.GreaterThan(Vector256.Abs(lowBack), Vector256.Abs(low)).AsInt64(),
            Vector256.GreaterThan(Vector256.Abs(highBack), Vector256.Abs(high)).AsInt64());

        // A mask is -1: adding it takes one unit off the magnitude.
        return ((nearest.AsInt32() + away) | (inexact & Vector256<int>.One)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DecodeBF16(ReadOnlySpan<ushort> source, Span<float> target)
    {
        int i = 0;
        for (; i <= source.Length - (2 * Lanes); i += 2 * Lanes)
        {
            var (low, high) = Vector256.Widen(Vector256.Create(source.Slice(i, 2 * Lanes)));
            Decode(Dtype.BF16, low).CopyTo(target[i..]);
            Decode(Dtype.BF16, high).CopyTo(target[(i + Lanes)..]);
        }

        for (; i < source.Length; i++) target[i] = BitConverter.UInt32BitsToSingle((uint)source[i] << 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DecodeF16(ReadOnlySpan<ushort> source, Span<float> target)
    {
        int i = 0;
        for (; i <= source.Length - (2 * Lanes); i += 2 * Lanes)
        {
            var (low, high) = Vector256.Widen(Vector256.Create(source.Slice(i, 2 * Lanes)));
            Decode(Dtype.F16, low).CopyTo(target[i..]);
            Decode(Dtype.F16, high).CopyTo(target[(i + Lanes)..]);
        }

        for (; i < source.Length; i++) target[i] = Decode(Dtype.F16, Vector256.Create((uint)source[i]))[0];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Decode(Dtype dtype, Vector256<uint> bits)
    {
        if (dtype == Dtype.BF16) return (bits << 16).AsSingle();

        // Exponent and mantissa put in place as if the bias were 127, then the bias corrected by 2^112: right for subnormals too.
        var magnitude =
            ((bits & Vector256.Create(0x7FFFu)) << 13).AsSingle() * Vector256.Create(BitConverter.UInt32BitsToSingle(0x7780_0000));
        return (magnitude.AsUInt32() | ((bits & Vector256.Create(0x8000u)) << 16)).AsSingle();
    }

    /// <summary>Rounds finite values to nearest even into the 16-bit type; what is too large becomes infinity.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Encode(Dtype dtype, Vector256<float> values)
    {
        var bits = values.AsUInt32();
        if (dtype == Dtype.BF16) return (bits + Vector256.Create(0x7FFFu) + ((bits >> 16) & Vector256<uint>.One)) >> 16;

        var sign = bits & Vector256.Create(0x8000_0000u);
        var magnitude = bits ^ sign;
        var normal = (magnitude + Vector256.Create(0xC800_0FFFu) + ((magnitude >> 13) & Vector256<uint>.One)) >> 13;

        // Below 2^-14 the unit is 2^-24, which is the unit of numbers from 1/2 to 1: adding 1/2 rounds there.
        var subnormal = (magnitude.AsSingle() + Vector256.Create(0.5f)).AsUInt32() - Vector256.Create(0x3F00_0000u);
        var finite = Vector256.ConditionalSelect(Vector256.LessThan(magnitude, Vector256.Create(0x3880_0000u)), subnormal, normal);
        return Vector256.Min(finite, Vector256.Create(0x7C00u)) | (sign >> 16);
    }
}
