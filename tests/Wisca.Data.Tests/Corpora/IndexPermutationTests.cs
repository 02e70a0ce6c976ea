using CsCheck;
using Wisca.Data.Corpora;

namespace Wisca.Data.Tests.Corpora;

public sealed class IndexPermutationTests
{
    [Fact]
    public void Index_AnyLengthAndKey_IsAPermutation() => Gen.Select(Gen.Long[1, 3000], Gen.ULong).Sample(
        (length, key) =>
        {
            var permutation = new IndexPermutation(length, key);
            var seen = new HashSet<long>();
            for (long i = 0; i < length; i++)
            {
                long value = permutation[i];
                value.ShouldBeInRange(0, length - 1);
                seen.Add(value).ShouldBeTrue();
            }

            Should.Throw<ArgumentOutOfRangeException>(() => permutation[length]);
            Should.Throw<ArgumentOutOfRangeException>(() => permutation[-1]);
        },
        iter: 100);

    [Theory]
    [InlineData(long.MaxValue)]
    [InlineData((1L << 62) + 1)]
    [InlineData(1L << 40)]
    public void Index_HugeLength_StaysInRangeWithoutRepeats(long length)
    {
        var permutation = new IndexPermutation(length, 7);
        var seen = new HashSet<long>();
        for (long i = 0; i < 1000; i++)
        {
            long value = permutation[length - 1 - i];
            value.ShouldBeInRange(0, length - 1);
            seen.Add(value).ShouldBeTrue();
        }
    }

    [Theory]
    [InlineData(5)]
    [InlineData(7)]
    [InlineData(16)]
    [InlineData(100)]
    public void Index_OverKeys_IsEven(int length)
    {
        // Where index 0 goes, and where the pair (0, 1) goes: chi squared against even, within five standard deviations.
        const int draws = 40_000;
        double[] first = new double[length], pair = new double[length * length];
        for (int key = 0; key < draws; key++)
        {
            var permutation = new IndexPermutation(length, (ulong)key);
            first[permutation[0]]++;
            pair[(permutation[0] * length) + permutation[1]]++;
        }

        ShouldBeEven(first, length, draws);
        ShouldBeEven([.. pair.Where((_, i) => i / length != i % length)], length * (length - 1), draws);
    }

    private static void ShouldBeEven(double[] counts, int cells, int draws)
    {
        double expected = (double)draws / cells, chiSquared = counts.Sum(count => (count - expected) * (count - expected) / expected);
        Math.Abs(chiSquared - (cells - 1)).ShouldBeLessThan(5 * Math.Sqrt(2.0 * (cells - 1)));
    }
}
