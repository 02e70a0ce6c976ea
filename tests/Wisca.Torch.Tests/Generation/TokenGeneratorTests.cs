using TorchSharp;
using Wisca.Tests.Torch;
using Wisca.Torch.Generation;

namespace Wisca.Torch.Tests.Generation;

[Collection(TorchCollection.Name)]
public sealed class TokenGeneratorTests
{
    private static readonly int[] Prompt = TinyFamilies.Tokens(4);

    [Fact]
    public void Generate_Greedy_IsTheLargestLogitOfTheForwardPass()
    {
        using var decoder = TinyFamilies.Create("llama");
        var tokens = Prompt.ToList();
        for (int i = 0; i < 8; i++)
        {
            double[] logits = Reference.Logits(decoder, [.. tokens])[^1];
            tokens.Add(Array.IndexOf(logits, logits.Max()));
        }

        TokenGenerator.Generate(decoder, Prompt, 8, new SamplingOptions { Temperature = 0 }).ShouldBe(tokens[Prompt.Length..]);
        TokenGenerator.Generate(decoder, Prompt, 8, new SamplingOptions { Temperature = 0 }, new HashSet<int> { tokens[6] })
            .ShouldBe(tokens[Prompt.Length..tokens.IndexOf(tokens[6], Prompt.Length)]);
    }

    /// <summary>What is drawn with a cache is what is drawn from the logits of whole forward passes.</summary>
    [Theory]
    [MemberData(nameof(TinyFamilies.ModelTypes), MemberType = typeof(TinyFamilies))]
    public void Generate_Sampled_IsDrawnFromTheForwardPass(string modelType)
    {
        using var decoder = TinyFamilies.Create(modelType);
        foreach (var options in (SamplingOptions[])[new() { Seed = 4 }, new() { Seed = 5, Temperature = 1.7, TopK = 9, TopP = 0.9 }])
        {
            var sampler = new TokenSampler(options);
            var tokens = Prompt.ToList();
            for (int i = 0; i < 8; i++)
                tokens.Add(sampler.Next(Array.ConvertAll(Reference.Logits(decoder, [.. tokens])[^1], logit => (float)logit)));
            TokenGenerator.Generate(decoder, Prompt, 8, options).ShouldBe(tokens[Prompt.Length..]);
        }
    }

    [Fact]
    public void Generate_SameSeed_RepeatsAndLeavesNoTensorsBehind()
    {
        using var decoder = TinyFamilies.Create("gemma3_text");
        int[] first = Generate(5);
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Generate(5).ShouldBe(first);
        Generate(6).ShouldNotBe(first);
        TokenGenerator.Generate(decoder, Prompt, 12, new SamplingOptions { Seed = 5 }).First().ShouldBe(first[0]);
        DisposeScopeManager.Statistics.ThreadTotalLiveCount.ShouldBe(before);

        int[] Generate(ulong seed) => [.. TokenGenerator.Generate(decoder, Prompt, 12, new SamplingOptions { Seed = seed })];
    }

    [Fact]
    public void Generate_WrongPrompt_IsRefusedAtOnce()
    {
        using var decoder = TinyFamilies.Create("gpt2");
        Should.Throw<WiscaException>(() => TokenGenerator.Generate(decoder, [], 8)).Message.ShouldBe("the prompt has no tokens");
        Should
            .Throw<WiscaException>(() => TokenGenerator.Generate(decoder, [19], 8))
            .Message.ShouldBe("token 19 is not below the model's vocabulary of 19");
        Should.Throw<WiscaException>(() => TokenGenerator.Generate(decoder, Prompt, 29)).Hint.ShouldBe("ask for at most 28 tokens");
    }
}
