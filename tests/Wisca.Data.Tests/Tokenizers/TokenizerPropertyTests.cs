using System.Diagnostics;
using System.Text;
using CsCheck;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Tests;

namespace Wisca.Data.Tests.Tokenizers;

public sealed class TokenizerPropertyTests
{
    private static readonly string[] Atoms =
    [
        "the", " the", "boat", " ", "  ", "\n", "\r\n", "\t", "'s", "'LL", "1", "1234", ".", "...", "(", "\u00e9", "e\u0301", "\u00a0",
        "\u3000", "\u0661",
        "\u6570", "\u3042", "\ud55c", "\u0416", "\u05d0", "\u0903", "\u200d", "\U0001F600", "\U0001F1E9", "\U00020000", "\U0001D49C",
        "\U0001D7D9", "\U0010FFFF", "\0",
    ];

    private static readonly Gen<string> Scalars = Gen.Int[0, 0x10FFFF]
        .Select(scalar => Rune.IsValid(scalar) ? new Rune(scalar).ToString() : "x");
    private static readonly Gen<string> Texts = Gen.Frequency((4, Gen.OneOf(Atoms)), (1, Scalars))
        .Array[0, 120]
        .Select(string.Concat)
        .Where(text => !text.Contains('\u2581', StringComparison.Ordinal));

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama3")]
    [InlineData("cl100k, possessive")]
    [InlineData("o200k")]
    [InlineData("deepseek")]
    [InlineData("falcon")]
    [InlineData("bloom, class inside a class")]
    [InlineData("starcoder")]
    [InlineData("split Contiguous")]
    [InlineData("llama")]
    [InlineData("gemma")]
    public void DecodeEncode_LosslessTokenizer_GivesTheTextBack(string variant)
    {
        var tokenizer = Fixture.Load(variant);
        Texts.Sample(text => tokenizer.Decode(tokenizer.Encode(text)).ShouldBe(text), iter: 300);
    }

    [Fact]
    public void DecodeEncode_LosslessSentencePiece_GivesTheTextBack()
    {
        var tokenizer = TokenizerLoader.Load(Fixture.PathOf("bytes.model"));
        Texts.Sample(text => tokenizer.Decode(tokenizer.Encode(text)).ShouldBe(text), iter: 300);
    }

    [Theory]
    [InlineData("tokenizers/gpt2")]
    [InlineData("tokenizers/llama2-32k")]
    public void DecodeEncode_RealTokenizer_GivesTheTextBack(string path)
    {
        var tokenizer = TokenizerLoader.Load(TestData.Require(path.Split('/')));
        Texts.Sample(text => tokenizer.Decode(tokenizer.Encode(text)).ShouldBe(text), iter: 300);
    }

    [Fact]
    public void Encode_AroundASpecialToken_IsEncodedInParts()
    {
        var tokenizer = Fixture.Load("gpt2");
        int end = tokenizer.FindId(Fixture.EndOfText)!.Value;
        Gen.Select(Texts, Texts).Sample(
            (left, right) =>
                tokenizer
                    .Encode(left + Fixture.EndOfText + right)
                    .ShouldBe([.. tokenizer.Encode(left), end, .. tokenizer.Encode(right)]),
            iter: 300);
    }

    [Fact]
    public void Encode_ManyThreads_AgreesWithOne()
    {
        var tokenizer = Fixture.Load("llama");
        var fresh = Fixture.Load("llama");
        string[] texts =
        [
            .. Enumerable.Range(0, 400).Select(i => string.Concat(Enumerable.Range(0, i % 37).Select(j => Atoms[(i * j) % Atoms.Length]))),
        ];
        int[][] expected = [.. texts.Select(text => tokenizer.Encode(text))];
        int[][] found = [.. texts.AsParallel().AsOrdered().WithDegreeOfParallelism(8).Select(text => fresh.Encode(text))];
        for (int i = 0; i < texts.Length; i++) found[i].ShouldBe(expected[i]);
    }

    // A quadratic step anywhere would take hours; the limit is far above what is needed.
    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama3")]
    [InlineData("o200k")]
    [InlineData("falcon")]
    [InlineData("added tokens")]
    [InlineData("llama")]
    [InlineData("gemma")]
    [InlineData("unknown, fused")]
    public void Encode_MegabyteWithoutAnEnd_IsNotQuadratic(string variant)
    {
        var tokenizer = Fixture.Load(variant);
        var clock = Stopwatch.StartNew();
        foreach (string unit in new[] { "t", " ", "\U0001F600", "the", "<b> " })
        {
            tokenizer.Encode(string.Concat(Enumerable.Repeat(unit, 1_000_000 / unit.Length))).Length.ShouldBeGreaterThan(0);
        }

        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(60));
    }

    [Fact]
    public void Encode_LongText_AllocatesLittleMoreThanTheIds()
    {
        var tokenizer = Fixture.Load("gpt2");
        string text = string.Concat(Enumerable.Repeat(Fixture.Variant("gpt2").Rows[2].Text, 5000));
        int count = tokenizer.Encode(text).Length;

        // The least of several: a collection in between empties the pools that buffers are rented from.
        long allocated = Enumerable.Range(0, 5).Min(_ =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            tokenizer.Encode(text);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        });

        // An object for each piece or character would cost 24 bytes and more.
        ((double)allocated / text.Length).ShouldBeLessThan(24);
        allocated.ShouldBeGreaterThan(4L * count);
    }
}
