using System.Buffers.Binary;

namespace Wisca.Tests;

/// <summary>Element types by their definition: sign, exponent, significand, and rounding to nearest with ties to even.</summary>
internal static class ReferenceFloat
{
    /// <summary>Bits of the stored fraction and of the exponent.</summary>
    public static (int Fraction, int Exponent) Format(string dtype) => dtype switch
    {
        "F16" => (10, 5),
        "BF16" => (7, 8),
        "F32" => (23, 8),
        "F64" => (52, 11),
        _ => throw new ArgumentException(dtype, nameof(dtype)),
    };

    public static int Size(string dtype) =>
        dtype switch
        {
            "F16" or "BF16" => 2,
            "F32" => 4,
            "F64" => 8,
            _ => throw new ArgumentException(dtype, nameof(dtype)),
        };

    /// <summary>The value of a pattern; NaN for every NaN.</summary>
    public static double Decode(string dtype, ulong bits)
    {
        var (fractionBits, exponentBits) = Format(dtype);
        long fraction = (long)(bits & ((1UL << fractionBits) - 1));
        int exponent = (int)(bits >> fractionBits) & ((1 << exponentBits) - 1);
        double sign = bits >> (fractionBits + exponentBits) == 0 ? 1 : -1;
        if (exponent == (1 << exponentBits) - 1) return fraction == 0 ? sign * double.PositiveInfinity : double.NaN;
        long significand = exponent == 0 ? fraction : fraction | (1L << fractionBits);
        return sign * Math.ScaleB(significand, Math.Max(exponent, 1) - Bias(exponentBits) - fractionBits);
    }

    /// <summary>The pattern nearest to a value, ties to the even one; infinity from half a unit beyond the largest finite one.</summary>
    public static ulong Encode(string dtype, double value)
    {
        var (fractionBits, exponentBits) = Format(dtype);
        ulong sign = (ulong)(BitConverter.DoubleToUInt64Bits(value) >> 63) << (fractionBits + exponentBits);
        ulong infinity = ((1UL << exponentBits) - 1) << fractionBits;
        if (double.IsNaN(value)) return sign | infinity | 1;
        if (double.IsInfinity(value)) return sign | infinity;
        if (value == 0) return sign;
        int leastUnit = 1 - Bias(exponentBits) - fractionBits;
        int unit = Math.Max(Math.ILogB(value) - fractionBits, leastUnit);

        // The quotient is exact: fewer than 54 bits, and far from the ends of float64's range.
        ulong units = (ulong)Math.Round(Math.ScaleB(Math.Abs(value), -unit), MidpointRounding.ToEven);
        return sign | Math.Min(infinity, units + ((ulong)(unit - leastUnit) << fractionBits));
    }

    public static byte[] Bytes(string dtype, IEnumerable<double> values)
    {
        int size = Size(dtype);
        byte[] element = new byte[8];
        using var bytes = new MemoryStream();
        foreach (double value in values)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(
                element,
                dtype == "F64" ? BitConverter.DoubleToUInt64Bits(value) : Encode(dtype, value));
            bytes.Write(element, 0, size);
        }

        return bytes.ToArray();
    }

    public static double[] Values(string dtype, byte[] bytes)
    {
        int size = Size(dtype);
        byte[] element = new byte[8];
        double[] values = new double[bytes.Length / size];
        for (int i = 0; i < values.Length; i++)
        {
            bytes.AsSpan(i * size, size).CopyTo(element);
            ulong bits = BinaryPrimitives.ReadUInt64LittleEndian(element);
            values[i] = dtype == "F64" ? BitConverter.UInt64BitsToDouble(bits) : Decode(dtype, bits);
        }

        return values;
    }

    private static int Bias(int exponentBits) => (1 << (exponentBits - 1)) - 1;
}
