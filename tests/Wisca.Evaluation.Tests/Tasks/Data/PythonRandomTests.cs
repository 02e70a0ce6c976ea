using Wisca.Evaluation.Tasks.Data;

namespace Wisca.Evaluation.Tests.Tasks.Data;

/// <summary>Against what CPython 3.11 prints.</summary>
public sealed class PythonRandomTests
{
    [Theory]
    [InlineData(1234UL, 0.9664535356921388, 0.4407325991753527)]
    [InlineData(0UL, 0.8444218515250481, 0.7579544029403025)]
    [InlineData((1UL << 40) + 7, 0.6137037779936511, 0.8149162973309487)]
    public void NextDouble_Seed_IsPythons(ulong seed, double first, double second)
    {
        var random = new PythonRandom(seed);
        random.NextDouble().ShouldBe(first);
        random.NextDouble().ShouldBe(second);
    }

    [Theory]
    [InlineData(5, 3, 0, 4, 2, 1)]
    [InlineData(21, 14, 3, 0, 2, 1)] // from a list
    [InlineData(22, 14, 3, 0, 2, 18)] // from a set
    [InlineData(85, 56, 14, 0, 11, 74, 4)]
    [InlineData(86, 56, 14, 0, 11, 74, 4)]
    [InlineData(1000, 989, 796, 451, 119, 7, 92)]
    [InlineData(1, 0)]
    [InlineData(
        100000, 57767, 15315, 981, 11880, 76313, 4577, 88023, 90844, 11001, 12900, 46482, 31039, 2284, 4038, 2076, 45362, 84976, 81694,
        63471, 80716, 60758, 19471, 11965, 23998, 93508)]
    public void Sample_Seed1234_IsPythons(int population, params int[] expected) =>
        new PythonRandom(1234).Sample(population, expected.Length).ShouldBe(expected);

    [Fact]
    public void NextDouble_AsIndex_IsPythonsChoices()
    {
        var random = new PythonRandom(0);
        _ = random.NextDouble();
        _ = random.NextDouble();
        Enumerable.Range(0, 6).Select(_ => (int)(random.NextDouble() * 100)).ShouldBe([42, 25, 51, 40, 78, 30]);
    }

    [Fact]
    public void Sample_ManyTimes_EachIndexOnceAndTheGeneratorGoesOn()
    {
        var random = new PythonRandom(1234);
        int[][] drawn = [.. Enumerable.Range(0, 4).Select(_ => random.Sample(40, 3))];
        drawn.ShouldBe([[28, 7, 0], [5, 37, 2], [5, 6, 22], [15, 1, 22]]);
    }
}
