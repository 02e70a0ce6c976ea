using Wisca.Tasks;

namespace Wisca.Tests.Tasks;

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
    [InlineData(21, 2, 3, 11)] // from a list
    [InlineData(22, 7, 0, 11)] // from a set
    [InlineData(85, 11, 23, 14, 1, 64, 62)] // the last size with a list of six
    [InlineData(86, 31, 8, 85, 69, 59, 76)]
    [InlineData(1000, 663, 638, 495, 630, 474, 152)]
    [InlineData(1, 0)]
    [InlineData(100000, 88490, 11656, 67507, 75891, 6024, 35335, 72932, 8267, 84493, 39639, 63050, 46561, 34924, 32656, 85915, 26218, 59426, 69489, 87216, 2529, 66597, 9252, 757, 43713, 18844)]
    public void Sample_Seed1234_IsPythons(int population, params int[] expected) => new PythonRandom(1234).Sample(population, expected.Length).ShouldBe(expected);

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
