using Wisca.Data.Tokenizers;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Tests;

namespace Wisca.Data.Tests.Tokenizers.Loading;

/// <summary>
/// Small SentencePiece models against SentencePiece: with replacements before and user-defined symbols (rules.model), with byte
/// fallback and every space kept (bytes.model), with unknown characters and without BOS (unknown.model), with
/// two pieces of one score (ties.model).
/// </summary>
public sealed class SentencePieceTests
{
    [Theory]
    [InlineData("rules.model")]
    [InlineData("bytes.model")]
    [InlineData("unknown.model")]
    [InlineData("ties.model")]
    public void EncodeDecode_SmallModel_AgreesWithReference(string name)
    {
        var tokenizer = TokenizerLoader.Load(Fixture.PathOf(name));
        tokenizer.Kind.ShouldBe(TokenizerKind.SentencePiece);
        foreach (var row in Fixture.Read("sentencepiece.json").Single(golden => golden.Path == name).Rows)
            Fixture.ShouldAgree(tokenizer, row);
    }

    [Fact]
    public void Encode_ModelWithBos_PutsItInFront()
    {
        var tokenizer = TokenizerLoader.Load(Fixture.PathOf("bytes.model"));
        tokenizer.BosId.ShouldBe(1);
        tokenizer.EosId.ShouldBe(2);
        tokenizer.Encode("").ShouldBe([1]);
        tokenizer.Encode("the").ShouldBe([1, .. tokenizer.Encode("the", addSpecialTokens: false)]);
    }

    [Fact]
    public void Encode_ModelWithoutBos_AddsNothing()
    {
        var tokenizer = TokenizerLoader.Load(Fixture.PathOf("unknown.model"));
        tokenizer.BosId.ShouldBeNull();
        tokenizer.Encode("the").ShouldBe(tokenizer.Encode("the", addSpecialTokens: false));
    }

    [Fact]
    public void Encode_SpecialTokenInTheText_StaysText()
    {
        var tokenizer = TokenizerLoader.Load(Fixture.PathOf("bytes.model"));
        tokenizer.Encode("<s>", addSpecialTokens: false).ShouldNotContain(1);
        tokenizer.Decode(tokenizer.Encode("<s>x</s>")).ShouldBe("<s>x</s>");
    }

    [Fact]
    public void Decode_ByteRunWithAHole_KeepsWholeCharacters()
    {
        var tokenizer = TokenizerLoader.Load(Fixture.PathOf("bytes.model"));
        int Byte(int value) => tokenizer.FindId($"<0x{value:X2}>")!.Value;
        tokenizer.Decode([Byte(0xE2), Byte(0x82), Byte(0xC3), Byte(0xA9), Byte(0xFF)]).ShouldBe("\ufffd\ufffd\u00e9\ufffd");
    }

    [Theory]
    [InlineData("""{"add_bos_token": false, "add_eos_token": true}""", new int[0], new[] { 2 })]
    [InlineData("""{"add_bos_token": true, "bos_token": {"content": "</s>"}}""", new[] { 2 }, new int[0])]
    [InlineData("""{"bos_token": null}""", new int[0], new int[0])]
    public void Encode_SettingsBesideTheModel_DecideWhatIsAdded(string settings, int[] before, int[] after)
    {
        using var folder = new TemporaryFolder();
        File.Copy(Fixture.PathOf("bytes.model"), folder["tokenizer.model"]);
        File.WriteAllText(folder["tokenizer_config.json"], settings);
        var tokenizer = TokenizerLoader.Load(folder.FullPath);
        tokenizer.Encode("the boat").ShouldBe([.. before, .. tokenizer.Encode("the boat", addSpecialTokens: false), .. after]);
    }
}
