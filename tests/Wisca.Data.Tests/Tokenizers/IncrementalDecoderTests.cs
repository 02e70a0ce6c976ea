using System.Text;
using Wisca.Data.Tokenizers;

namespace Wisca.Data.Tests.Tokenizers;

public sealed class IncrementalDecoderTests
{
    [Theory]
    [InlineData("plain")]
    [InlineData("naïve café – 日本語 🦊!")]
    [InlineData("")]
    public void Add_ByteByByte_GivesWholeCharactersAndTheWholeText(string text)
    {
        int[] ids = Array.ConvertAll(Encoding.UTF8.GetBytes(text), value => (int)value);
        var stream = new IncrementalDecoder(new Bytes(), ids[..(ids.Length / 2)]);
        var pieces = new List<string> { stream.Begin() };
        foreach (int id in ids[(ids.Length / 2)..]) pieces.Add(stream.Add(id));
        pieces.ShouldAllBe(piece => !piece.Contains('\uFFFD'));
        string.Concat(pieces).ShouldBe(text);
        stream.End().ShouldBeEmpty();
    }

    [Fact]
    public void End_UnfinishedCharacter_IsHandedOut()
    {
        var stream = new IncrementalDecoder(new Bytes(), ['a']);
        stream.Begin().ShouldBe("a");
        stream.Add(0xC3).ShouldBeEmpty();
        stream.End().ShouldBe("\uFFFD");
    }

    private sealed class Bytes : Tokenizer
    {
        public override TokenizerKind Kind => throw new NotSupportedException();

        public override string Source => throw new NotSupportedException();

        public override int VocabularySize => 256;

        public override int? BosId => null;

        public override int? EosId => null;

        public override int[] Encode(string text, bool addSpecialTokens = true) => throw new NotSupportedException();

        public override string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true) =>
            Encoding.UTF8.GetString([.. ids.ToArray().Select(id => (byte)id)]);

        public override int? FindId(string token) => throw new NotSupportedException();

        public override string? FindToken(int id) => throw new NotSupportedException();
    }
}
