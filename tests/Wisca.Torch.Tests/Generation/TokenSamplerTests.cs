using Wisca.Torch.Generation;

namespace Wisca.Torch.Tests.Generation;

public sealed class TokenSamplerTests
{
    private static readonly float[] Logits = [.. new[] { 0.1, 0.4, 0.05, 0.25, 0.2 }.Select(share => (float)Math.Log(share))];

    [Fact]
    public void Next_TemperatureZero_TakesTheFirstOfTheLargest() =>
        new TokenSampler(new SamplingOptions { Temperature = 0 }).Next([1, 3, 2, 3]).ShouldBe(1);

    [Theory]
    [InlineData(1, null, null, new[] { 0.1, 0.4, 0.05, 0.25, 0.2 })]
    [InlineData(0.5, null, null, new[] { 0.01 / 0.275, 0.16 / 0.275, 0.0025 / 0.275, 0.0625 / 0.275, 0.04 / 0.275 })]
    [InlineData(1, 2, null, new[] { 0, 0.4 / 0.65, 0, 0.25 / 0.65, 0 })]
    [InlineData(1, null, 0.7, new[] { 0, 0.4 / 0.85, 0, 0.25 / 0.85, 0.2 / 0.85 })]
    [InlineData(1, 2, 0.5, new[] { 0, 1.0, 0, 0, 0 })]
    public void Next_ManyDraws_HaveTheSharesOfTheFormula(double temperature, int? topK, double? topP, double[] expected)
    {
        const int draws = 20_000;
        var sampler = new TokenSampler(new SamplingOptions { Temperature = temperature, TopK = topK, TopP = topP, Seed = 3 });
        int[] counts = new int[Logits.Length];
        for (int i = 0; i < draws; i++) counts[sampler.Next(Logits)]++;
        for (int token = 0; token < counts.Length; token++)
        {
            (counts[token] / (double)draws).ShouldBe(expected[token], 4 * Math.Sqrt(0.25 / draws));
            if (expected[token] == 0) counts[token].ShouldBe(0);
        }
    }

    /// <summary>
    /// As transformers' TopPLogitsWarper: a token goes where those more probable have the share already, so that a share that is
    /// reached exactly takes no further one. The numbers are what that keeps of these logits.
    /// </summary>
    [Theory]
    [InlineData(0.25, 1)]
    [InlineData(0.5, 2)]
    [InlineData(0.51, 3)]
    [InlineData(0.75, 3)]
    [InlineData(1.0, 4)]
    public void Next_TopPReachedExactly_TakesNoFurtherToken(double share, int kept)
    {
        var sampler = new TokenSampler(new SamplingOptions { TopP = share, Seed = 1 });
        Enumerable.Range(0, 400).Select(_ => sampler.Next([0, 0, 0, 0])).Distinct().Count().ShouldBe(kept);
    }

    /// <summary>As transformers' MinPLogitsWarper, of shares 4/8, 2/8, 1/8 and 1/8.</summary>
    [Theory]
    [InlineData(0.24, 4)]
    [InlineData(0.26, 2)]
    [InlineData(0.51, 1)]
    [InlineData(1.0, 1)]
    public void Next_MinP_IsOfTheMostProbable(double least, int kept)
    {
        var sampler = new TokenSampler(new SamplingOptions { MinP = least, Seed = 1 });
        float[] logits = [MathF.Log(1), MathF.Log(4), MathF.Log(1), MathF.Log(2)];
        Enumerable.Range(0, 400).Select(_ => sampler.Next(logits)).Distinct().Count().ShouldBe(kept);
    }

    /// <summary>What has the share exactly stays, as there.</summary>
    [Fact]
    public void Next_MinPReachedExactly_KeepsTheToken()
    {
        var sampler = new TokenSampler(new SamplingOptions { MinP = 1, Seed = 1 });
        Enumerable.Range(0, 100).Select(_ => sampler.Next([0, 0, -1])).Distinct().Count().ShouldBe(2);
    }

    /// <summary>As transformers' RepetitionPenaltyLogitsProcessor.</summary>
    [Theory]
    [InlineData(new float[] { 2, 3, 1 }, 2)]
    [InlineData(new float[] { -2, -1, -1.9f }, 2)]
    [InlineData(new float[] { 2, 5, 1 }, 1)]
    public void Next_RepetitionPenalty_DividesWhatIsPositiveAndMultipliesTheRest(float[] logits, int expected)
    {
        var sampler = new TokenSampler(new SamplingOptions { Temperature = 0, RepetitionPenalty = 4 });
        foreach (int seen in (int[])[0, 1, 1]) sampler.Saw(seen);
        if (expected == 1) sampler = new TokenSampler(new SamplingOptions { Temperature = 0, RepetitionPenalty = 0.5 });
        sampler.Next(logits).ShouldBe(expected);
    }

    [Fact]
    public void Next_SameSeed_GivesTheSameTokens()
    {
        Draw(1).ShouldBe(Draw(1));
        Draw(1).ShouldNotBe(Draw(2));

        static int[] Draw(ulong seed)
        {
            var sampler = new TokenSampler(new SamplingOptions { Seed = seed });
            return [.. Enumerable.Range(0, 50).Select(_ => sampler.Next(Logits))];
        }
    }

    [Theory]
    [InlineData(-1, null, null, "a temperature of -1")]
    [InlineData(1, 0, null, "top-k is 0")]
    [InlineData(1, null, 0.0, "top-p is 0")]
    [InlineData(1, null, 1.5, "top-p is 1.5")]
    public void Constructor_OutOfRange_IsRefused(double temperature, int? topK, double? topP, string message) =>
        Should
            .Throw<WiscaException>(() =>
                new TokenSampler(
                    new SamplingOptions
                    {
                        Temperature = temperature,
                        TopK = topK,
                        TopP = topP,
                    }))
            .Message.ShouldStartWith(message);

    [Fact]
    public void Next_NoFiniteLogit_IsRefused() =>
        Should
            .Throw<WiscaException>(() => new TokenSampler(new SamplingOptions()).Next([float.NaN, float.NaN]))
            .Message.ShouldBe("the model's logits are not finite");
}
