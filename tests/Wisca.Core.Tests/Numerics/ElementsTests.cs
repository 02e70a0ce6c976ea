using System.Runtime.InteropServices;
using Wisca.Numerics;
using Wisca.Safetensors;
using Wisca.Tests;

namespace Wisca.Core.Tests.Numerics;

/// <summary>The vectorised conversions against the definition of the types, for every 16-bit pattern.</summary>
public sealed class ElementsTests
{
    // Powers of two, and factors that give ties, products near both ends of the range, and products that need every bit of float64.
    private static readonly double[] PowersOfTwo = [.. Enumerable.Range(-64, 129).Select(exponent => Math.ScaleB(1, exponent)), -2];

    private static readonly double[] OtherFactors =
    [
        Math.BitIncrement(1),
        Math.BitDecrement(1),
        3,
        1.5,
        0.75,
        1.0 / 3,
        Math.Sqrt(2),
        Math.Sqrt(0.5),
        1 + Math.ScaleB(1, -8),
        1 + Math.ScaleB(1, -11),
        1 + Math.ScaleB(1, -12),
        1 - Math.ScaleB(1, -12),
        1 + Math.ScaleB(1, -24),
        5.5,
        17,
        257,
        2049,
        63.99,
        1e-3,
        1e3,
        1e-8,
        1e8,
        1e-30,
        1e30,
        1.000001,
        0.999999,
        Math.PI,
        -Math.E,
    ];

    [Theory]
    [InlineData(Dtype.F16)]
    [InlineData(Dtype.BF16)]
    public void Decode_EveryPattern_IsItsValue(Dtype dtype)
    {
        ushort[] patterns = Patterns();
        float[] singles = new float[patterns.Length];
        double[] doubles = new double[patterns.Length];
        Elements.Decode(dtype, MemoryMarshal.AsBytes<ushort>(patterns), singles);
        Elements.Decode(dtype, MemoryMarshal.AsBytes<ushort>(patterns), doubles);
        for (int i = 0; i < patterns.Length; i++)
        {
            double expected = ReferenceFloat.Decode($"{dtype}", patterns[i]);
            if (dtype == Dtype.F16)
            {
                // The runtime's own type agrees with the reference.
                ((double)BitConverter.UInt16BitsToHalf(patterns[i])).ShouldBe(expected);
                if (!double.IsFinite(expected))
                {
                    Math.Abs(singles[i]).ShouldBeGreaterThanOrEqualTo(65536);
                    continue;
                }
            }

            BitConverter
                .DoubleToInt64Bits(singles[i])
                .ShouldBe(double.IsNaN(expected) ? BitConverter.DoubleToInt64Bits(singles[i]) : BitConverter.DoubleToInt64Bits(expected));
            float.IsNaN(singles[i]).ShouldBe(double.IsNaN(expected));
            BitConverter.DoubleToInt64Bits(doubles[i]).ShouldBe(BitConverter.DoubleToInt64Bits(singles[i]));
        }
    }

    [Theory]
    [InlineData(Dtype.F16)]
    [InlineData(Dtype.BF16)]
    public void Scale_EveryFinitePatternTimesEveryFactor_IsRoundedOnce(Dtype dtype)
    {
        string name = $"{dtype}";
        ushort[] patterns = [.. Patterns().Where(pattern => double.IsFinite(ReferenceFloat.Decode(name, pattern)))];
        double[] values = [.. patterns.Select(pattern => ReferenceFloat.Decode(name, pattern))];
        ushort[] scaled = new ushort[patterns.Length];
        long infinite = 0, subnormal = 0;
        foreach (double factor in PowersOfTwo.Concat(OtherFactors))
        {
            Elements.Scale(
                dtype, MemoryMarshal.AsBytes<ushort>(patterns), MemoryMarshal.AsBytes(scaled.AsSpan()), [factor],
                PowersOfTwo.Contains(factor));
            for (int i = 0; i < patterns.Length; i++)
            {
                ushort expected = (ushort)ReferenceFloat.Encode(name, values[i] * factor);
                if (scaled[i] != expected)
                    Assert.Fail($"{dtype} {patterns[i]:x4} ({values[i]}) times {factor:R} is {expected:x4}, not {scaled[i]:x4}");
                double magnitude = Math.Abs(ReferenceFloat.Decode(name, expected));
                if (double.IsInfinity(magnitude)) infinite++;
                else if (magnitude > 0 && magnitude < Elements.MinNormal(dtype)) subnormal++;
            }
        }

        infinite.ShouldBeGreaterThan(100_000);
        subnormal.ShouldBeGreaterThan(100_000);
    }

    [Fact]
    public void Scale_F16_AgreesWithTheRuntimesHalf()
    {
        ushort[] patterns = [.. Patterns().Where(pattern => Half.IsFinite(BitConverter.UInt16BitsToHalf(pattern)))];
        ushort[] scaled = new ushort[patterns.Length];
        foreach (double factor in OtherFactors)
        {
            Elements.Scale(Dtype.F16, MemoryMarshal.AsBytes<ushort>(patterns), MemoryMarshal.AsBytes(scaled.AsSpan()), [factor], false);
            scaled.ShouldBe(
                patterns.Select(pattern => BitConverter.HalfToUInt16Bits((Half)((double)BitConverter.UInt16BitsToHalf(pattern) * factor))));
        }
    }

    [Fact]
    public void Scale_F32_IsTheProductInFloat64RoundedOnce()
    {
        var random = new Random(3);
        float[] values =
        [
            .. Enumerable
                .Range(0, 4000)
                .Select(_ => BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue)))
                .Where(float.IsFinite),
            0f,
            -0f,
            float.Epsilon,
            -float.Epsilon,
            float.MaxValue,
            float.MinValue,
            BitConverter.Int32BitsToSingle(0x007FFFFF),
            BitConverter.Int32BitsToSingle(0x00800000),
            1,
            -1,
        ];
        float[] scaled = new float[values.Length];
        foreach (double factor in PowersOfTwo.Concat(OtherFactors))
        {
            foreach (bool powersOfTwo in PowersOfTwo.Contains(factor) ? (bool[])[true, false] : [false])
            {
                Elements.Scale(
                    Dtype.F32, MemoryMarshal.AsBytes<float>(values), MemoryMarshal.AsBytes(scaled.AsSpan()), [factor], powersOfTwo);
                for (int i = 0; i < values.Length; i++)
                    BitConverter
                        .SingleToUInt32Bits(scaled[i])
                        .ShouldBe((uint)ReferenceFloat.Encode("F32", values[i] * factor), $"{values[i]:R} times {factor:R}");
            }
        }
    }

    [Fact]
    public void Scale_F64_IsTheProduct()
    {
        var random = new Random(4);
        double[] values =
        [
            .. Enumerable
                .Range(0, 4000)
                .Select(_ => BitConverter.Int64BitsToDouble(random.NextInt64(long.MinValue, long.MaxValue)))
                .Where(double.IsFinite),
            0,
            -0.0,
            double.Epsilon,
            double.MaxValue,
        ];
        double[] scaled = new double[values.Length];
        foreach (double factor in PowersOfTwo.Concat(OtherFactors))
        {
            Elements.Scale(
                Dtype.F64, MemoryMarshal.AsBytes<double>(values), MemoryMarshal.AsBytes(scaled.AsSpan()), [factor],
                PowersOfTwo.Contains(factor));
            scaled.Select(BitConverter.DoubleToInt64Bits).ShouldBe(values.Select(value => BitConverter.DoubleToInt64Bits(value * factor)));
        }
    }

    [Theory]
    [InlineData(Dtype.F16)]
    [InlineData(Dtype.BF16)]
    [InlineData(Dtype.F32)]
    [InlineData(Dtype.F64)]
    public void Scale_EveryLength_DoesEachElementAndNoMore(Dtype dtype)
    {
        string name = $"{dtype}";
        int size = ReferenceFloat.Size(name);
        var random = new Random(5);
        for (int length = 0; length <= 40; length++)
        {
            foreach (bool powersOfTwo in (bool[])[true, false])
            {
                double[] values = [.. Enumerable.Range(0, length).Select(_ => SmallLlama.Normal(random))];
                double[] factors =
                [
                    .. values.Select(_ => powersOfTwo ? Math.ScaleB(1, random.Next(-6, 7)) : Math.Exp(random.NextDouble() - 0.5)),
                ];
                byte[] source = ReferenceFloat.Bytes(name, values);
                double[] stored = ReferenceFloat.Values(name, source);

                // One factor for each element; from and to places that are not aligned, with a guard behind.
                byte[] from = [0xEE, .. source], to = [.. Enumerable.Repeat((byte)0xEE, 1 + source.Length + 32)];
                Elements.Scale(dtype, from.AsSpan(1), to.AsSpan(1, source.Length), factors, powersOfTwo);
                to.AsSpan(1, source.Length)
                    .ToArray()
                    .ShouldBe(ReferenceFloat.Bytes(name, stored.Zip(factors, (value, factor) => value * factor)), $"{dtype} {length}");
                to.AsSpan(1 + source.Length).ToArray().ShouldAllBe(guard => guard == 0xEE);

                // One factor for all, in place.
                double all = powersOfTwo ? 0.25 : 1.1;
                Elements.Scale(dtype, from.AsSpan(1), from.AsSpan(1), [all], powersOfTwo);
                from.AsSpan(1).ToArray().ShouldBe(ReferenceFloat.Bytes(name, stored.Select(value => value * all)), $"{dtype} {length}");

                double[] decoded = new double[length];
                Elements.Decode(dtype, source, decoded);
                decoded.ShouldBe(stored);
                size.ShouldBe(dtype.Bits() / 8);
            }
        }
    }

    [Fact]
    public void Decode_LongRow_HasNoSeamsBetweenItsPieces()
    {
        var random = new Random(6);
        double[] values = [.. Enumerable.Range(0, 1037).Select(_ => SmallLlama.Normal(random))];
        foreach (string name in (string[])["F16", "BF16", "F32", "F64"])
        {
            byte[] source = ReferenceFloat.Bytes(name, values);
            double[] decoded = new double[values.Length];
            Elements.Decode(Enum.Parse<Dtype>(name), source, decoded);
            decoded.ShouldBe(ReferenceFloat.Values(name, source));
        }
    }

    [Fact]
    public void Scale_TypeThatIsNotRescalable_Throws() =>
        Should.Throw<ArgumentOutOfRangeException>(() => Elements.Scale(Dtype.I16, new byte[4], new byte[4], [2], true));

    [Theory]
    [InlineData(Dtype.F16)]
    [InlineData(Dtype.BF16)]
    [InlineData(Dtype.F32)]
    [InlineData(Dtype.F64)]
    public void Limits_AreThoseOfTheType(Dtype dtype)
    {
        string name = $"{dtype}";
        var (fraction, exponent) = ReferenceFloat.Format(name);
        ulong infinity = ((1UL << exponent) - 1) << fraction;
        Elements.MaxFinite(dtype).ShouldBe(ReferenceFloat.Decode(name, infinity - 1));
        Elements.MinNormal(dtype).ShouldBe(ReferenceFloat.Decode(name, 1UL << fraction));
        dtype.SignificandBits().ShouldBe(fraction + 1);
    }

    private static ushort[] Patterns() => [.. Enumerable.Range(0, 65536).Select(pattern => (ushort)pattern)];
}
