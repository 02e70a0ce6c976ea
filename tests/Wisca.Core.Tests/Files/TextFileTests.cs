using System.Text;
using Wisca.Files;
using Wisca.Tests;

namespace Wisca.Core.Tests.Files;

public sealed class TextFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Read_Utf8_IsTheTextWithoutItsMark()
    {
        Write("ü\n😀"u8.ToArray());
        Read().ShouldBe("ü\n😀");
        Write([0xEF, 0xBB, 0xBF, .. "ü"u8]);
        Read().ShouldBe("ü");
        Write([]);
        Read().ShouldBe("");
    }

    [Fact]
    public void Read_AnythingElse_IsNamedWithItsLine()
    {
        Write([.. "one\ntwo\ncaf"u8, 0xE9, .. "\n"u8]);
        Message().ShouldBe($"{_folder["file"]}:3: byte 0xE9 is not valid UTF-8");
        Write([.. "one\n"u8, 0xED, 0xA0, 0x80]);
        Message().ShouldBe($"{_folder["file"]}:2: byte 0xED is not valid UTF-8");
        foreach (var (encoding, name) in ((Encoding, string)[])
            [(Encoding.Unicode, "UTF-16"), (Encoding.BigEndianUnicode, "UTF-16"), (Encoding.UTF32, "UTF-32")])
        {
            Write([.. encoding.GetPreamble(), .. encoding.GetBytes("steps: 1")]);
            Message().ShouldBe($"{_folder["file"]} is in {name}, expected text in UTF-8");
        }

        Write([0x1F, 0x8B, 8, 0]);
        Message().ShouldContain("is compressed with gzip");
        File.Delete(_folder["file"]);
        Message().ShouldEndWith("file does not exist");
    }

    [Theory]
    [InlineData("{\"a\": 1,}", "x:7: not valid JSON: a comma with nothing behind it")]
    [InlineData("{\"a\":\n 1", "x:8: not valid JSON:")]
    [InlineData("[[1]", "x:7: not valid JSON: it ends too early")]
    [InlineData("", "x:7: not valid JSON: nothing is there")]
    [InlineData("{\"a\": 1, \"a\": 2}", "x:7: an object names a key twice")]
    [InlineData("{\"a\": \"\\ud83d\\ude00\",\n\n\"b\": \"\\uD800\"}", "x:9: a text that escapes half a surrogate pair")]
    [InlineData("{\"\\udc00\": 1}", "x:7: a text that escapes half a surrogate pair")]
    public void Parse_WhatIsNotJson_NamesTheLineInPlainWords(string json, string expected)
    {
        var error = Should.Throw<WiscaException>(() => JsonText.Parse(Encoding.UTF8.GetBytes(json), "x", "mend it", firstLine: 7));
        error.Message.ShouldStartWith(expected);
        error.Message.ShouldNotContain("reader");
        error.Message.ShouldNotContain("LineNumber");
        error.Hint.ShouldBe("mend it");
    }

    [Fact]
    public void Parse_DeepNesting_IsRefused() =>
        Should
            .Throw<WiscaException>(() => JsonText.Parse(Encoding.UTF8.GetBytes(new string('[', 100_000)), "x", ""))
            .Message.ShouldContain("more than 64 levels");

    [Theory]
    [InlineData("BZh9 is how bzip2 begins")]
    [InlineData("PAR1 is a gene")]
    [InlineData("7z")]
    public void Of_TextThatBeginsLikeSomethingElse_IsText(string text) => ForeignContent.Of(Encoding.UTF8.GetBytes(text)).ShouldBeNull();

    private void Write(byte[] bytes) => File.WriteAllBytes(_folder["file"], bytes);

    private string Read() => TextFile.Read(_folder["file"], "hint");

    private string Message() => Should.Throw<WiscaException>(Read).Message;
}
