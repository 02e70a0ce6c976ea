using System.Text.Json.Nodes;
using Wisca.Data.Tokenizers;

namespace Wisca.Data.Tests.Tokenizers.Loading;

/// <summary>tokenizer.json in the styles of many model families, against Hugging Face's own library.</summary>
public sealed class TokenizerJsonTests
{
    public static TheoryData<string> Variants => [.. Fixture.Read("variants.json").Select(variant => variant.Name!)];

    [Theory]
    [MemberData(nameof(Variants))]
    public void EncodeDecode_Variant_AgreesWithReference(string name)
    {
        var variant = Fixture.Variant(name);
        var tokenizer = Fixture.Load(Fixture.Json(variant));
        tokenizer.Kind.ShouldBe(TokenizerKind.TokenizerJson);
        variant.Rows.Length.ShouldBeGreaterThan(6);
        foreach (var row in variant.Rows) Fixture.ShouldAgree(tokenizer, row);
    }

    [Fact]
    public void Encode_IgnoreMergesSwitchedOff_GivesOtherIds()
    {
        // The null test of the variant: were the flag not read, the golden ids could not tell.
        var variant = Fixture.Variant("llama3");
        var json = Fixture.Json(variant);
        json["model"]!["ignore_merges"] = false;
        var row = variant.Rows.Single(row => row.Text.StartsWith("the strong", StringComparison.Ordinal));
        Fixture.Load(json).Encode(row.Text).ShouldNotBe(row.Ids!);
    }

    [Fact]
    public void Encode_MergesReversed_GivesOtherIds()
    {
        var variant = Fixture.Variant("gpt2");
        var json = Fixture.Json(variant);
        json["model"]!["merges"] = new JsonArray([.. json["model"]!["merges"]!.AsArray().Reverse().Select(merge => merge!.DeepClone())]);
        var tokenizer = Fixture.Load(json);
        variant.Rows.Count(row => !tokenizer.Encode(row.Text).SequenceEqual(row.Ids!)).ShouldBeGreaterThan(0);
    }

    [Fact]
    public void Encode_ModelWithoutType_IsBytePair()
    {
        var variant = Fixture.Variant("gpt2");
        var json = Fixture.Json(variant);
        json["model"]!.AsObject().Remove("type");
        Fixture.Load(json).Encode(variant.Rows[1].Text).ShouldBe(variant.Rows[1].Ids!);
    }

    [Fact]
    public void Encode_HalfASurrogatePair_IsAReplacementCharacter()
    {
        var tokenizer = Fixture.Load("gpt2");
        tokenizer.Encode("a\ud83d b\ude00").ShouldBe(tokenizer.Encode("a\ufffd b\ufffd"));
    }

    [Fact]
    public void Decode_WithSpecialTokens_KeepsThem()
    {
        var tokenizer = Fixture.Load("llama");
        int[] ids = tokenizer.Encode("the boat");
        tokenizer.Decode(ids).ShouldBe("the boat");
        tokenizer.Decode(ids, skipSpecialTokens: false).ShouldBe("<s> the boat");
    }

    [Fact]
    public void Decode_IdsWithoutToken_GiveNothing()
    {
        var tokenizer = Fixture.Load("gpt2");
        tokenizer.Decode([.. tokenizer.Encode("the"), tokenizer.VocabularySize, 1 << 30, -1]).ShouldBe("the");
    }

    [Fact]
    public void Decode_BytesThatAreNoText_GiveReplacementCharacters()
    {
        var byteLevel = Fixture.Load("gpt2");
        byteLevel.Decode([0xE2, 0x82]).ShouldBe("\ufffd"); // in the small vocabulary a byte is its own id
        var fallback = Fixture.Load("llama");
        int[] cut = [fallback.FindId("<0xE2>")!.Value, fallback.FindId("<0x82>")!.Value];
        fallback.Decode(cut).ShouldBe("\ufffd\ufffd");
        fallback.Decode([.. cut, fallback.FindId("<0xAC>")!.Value]).ShouldBe("\u20ac");
    }

    [Fact]
    public void FindIdAndToken_AllTokens_AreInverse()
    {
        var tokenizer = Fixture.Load("llama3");
        tokenizer.FindId("<|eot_id|>").ShouldBe(tokenizer.VocabularySize - 1);
        for (int id = 0; id < tokenizer.VocabularySize; id++) tokenizer.FindId(tokenizer.FindToken(id)!).ShouldBe(id);
        tokenizer.FindId("nowhere").ShouldBeNull();
        tokenizer.FindToken(tokenizer.VocabularySize).ShouldBeNull();
    }
}
