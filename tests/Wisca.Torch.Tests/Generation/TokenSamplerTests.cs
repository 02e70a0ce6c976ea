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
