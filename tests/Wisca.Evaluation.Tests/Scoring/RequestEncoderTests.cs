using Wisca.Data.Tokenizers.Loading;
using Wisca.Evaluation.Scoring;
using Wisca.Tests;

namespace Wisca.Evaluation.Tests.Scoring;

public sealed class RequestEncoderTests
{
    [Fact]
    public void Encode_SpaceAtTheEndOfTheContext_MovesToTheContinuation()
    {
        var tokenizer = new WordTokenizer();
        var encoder = new RequestEncoder(tokenizer);
        foreach (var request in (LogLikelihoodRequest[])[new("one two", " three"), new("one two ", "three")])
        {
            var (context, continuation) = encoder.Encode(request);
            context.ShouldBe(tokenizer.Ids("one", " two"));
            continuation.ShouldBe(tokenizer.Ids(" three"));
        }

        // Every kind of white space, also what only Python takes for it.
        encoder.Encode(new("one\u00a0\t\u001f", "two")).Continuation.ShouldBe(tokenizer.Ids("\u00a0", "\t", "\u001f", "two"));
    }

    [Fact]
    public void Encode_TokensThatGrowTogether_AreTheWholesBehindTheContextsLength()
    {
        var tokenizer = new WordTokenizer();
        var (context, continuation) = new RequestEncoder(tokenizer).Encode(new("one tw", "o three"));
        context.ShouldBe(tokenizer.Ids("one", " tw"));
        continuation.ShouldBe(tokenizer.Ids(" three"));
        new RequestEncoder(tokenizer).Encode(new("one tw", "o")).Continuation.ShouldBeEmpty();
    }

    [Fact]
    public void EncodeJoined_ContinuationThatGrowsIntoTheContextsLastToken_CountsTheJoinedToken()
    {
        var tokenizer = new WordTokenizer();
        var encoder = new RequestEncoder(tokenizer);
        var joined = encoder.EncodeJoined(new("one tw", "o")).ShouldNotBeNull();
        joined.Context.ShouldBe(tokenizer.Ids("one"));
        joined.Continuation.ShouldBe(tokenizer.Ids(" two"));

        // Where nothing is left in front of it, the prefix token is.
        joined = encoder.EncodeJoined(new("o", "ne")).ShouldNotBeNull();
        joined.Context.ShouldBe([encoder.PrefixToken]);
        joined.Continuation.ShouldBe(tokenizer.Ids("one"));
        encoder.EncodeJoined(new("one", "")).ShouldBeNull();
        encoder.EncodeJoined(new("", "")).ShouldBeNull();
    }

    [Fact]
    public void Encode_EmptyContext_IsThePrefixToken()
    {
        var tokenizer = new WordTokenizer(addsBos: true);
        var (context, continuation) = new RequestEncoder(tokenizer).Encode(new("", "one two"));
        context.ShouldBe([1]);
        continuation.ShouldBe(tokenizer.Ids("one", " two"));
        new RequestEncoder(new WordTokenizer(hasBos: false)).Encode(new("", "one")).Context.ShouldBe([2]);

        // BOS is not there twice.
        (context, continuation) = new RequestEncoder(tokenizer).Encode(new("", "<s>one two"));
        context.ShouldBe([1]);
        continuation.ShouldBe(tokenizer.Ids("one", " two"));
        new RequestEncoder(new WordTokenizer()).Encode(new(" ", "one")).Context.ShouldBe([1]);
    }

    [Fact]
    public void Encode_NoPrefixToken_IsAnErrorOnlyWhereItIsNeeded()
    {
        var encoder = new RequestEncoder(new WordTokenizer(hasBos: false, hasEos: false));
        encoder.Encode(new("one", " two")).Context.Length.ShouldBe(1);
        Should.Throw<WiscaException>(() => encoder.Encode(new("", "two"))).Message.ShouldContain("no BOS and no EOS");
    }

    [Theory]
    [InlineData(null, true, "one", true)]
    [InlineData(null, false, "one", false)]
    [InlineData(false, true, "one", false)]
    [InlineData(null, true, "<s>one", false)]
    public void Encode_SpecialTokens_AreTheTokenizersUnlessToldOtherwise(bool? add, bool tokenizerAdds, string text, bool expected)
    {
        var tokenizer = new WordTokenizer(addsBos: tokenizerAdds);
        var (context, continuation) = new RequestEncoder(tokenizer, add).Encode(new(text, " two"));
        context.ShouldBe(expected ? [1, .. tokenizer.Ids("one")] : text == "one" ? tokenizer.Ids("one") : tokenizer.Ids("<s>", "one"));
        continuation.ShouldBe(tokenizer.Ids(" two"));
        new RequestEncoder(tokenizer, add).EncodeDocument("one two")
            .ShouldBe(tokenizerAdds && add != false ? [1, .. tokenizer.Ids("one", " two")] : tokenizer.Ids("one", " two"));
        new RequestEncoder(tokenizer, add).EncodeDocument("").ShouldBeEmpty();
    }

    [Fact]
    public void Encode_ManyRequests_AsEachByItself()
    {
        var encoder = new RequestEncoder(new WordTokenizer(addsBos: true));
        LogLikelihoodRequest[] requests =
        [
            new("one two", " three"), new("one two", " four"), new("one two ", "three"), new("", "one"), new("", "<s>one"), new("one", ""),
            new("  ", "one"),
        ];
        var together = encoder.Encode(requests, CancellationToken.None);
        foreach (var (request, encoded) in requests.Zip(together))
        {
            var (context, continuation) = encoder.Encode(request);
            encoded.Context.ShouldBe(context);
            encoded.Continuation.ShouldBe(continuation);
        }
    }

    [Fact]
    public void Encode_StoryModel_ContinuationsOfItsTokenizerAreWhole()
    {
        // Its tokens end with the space behind the word, and it adds BOS.
        var tokenizer = TokenizerLoader.Load(TestData.Require("models", "TinyStories-656K"));
        var (context, continuation) = new RequestEncoder(tokenizer).Encode(new("Once upon a time", ", there was a cat"));
        context[0].ShouldBe(1);
        tokenizer.Decode(continuation).ShouldContain("cat");
        new RequestEncoder(tokenizer, addSpecialTokens: false)
            .Encode(new("Once upon a time", ", there was a cat"))
            .Context.ShouldBe(context[1..]);
    }
}
