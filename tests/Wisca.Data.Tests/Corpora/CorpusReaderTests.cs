using System.IO.Compression;
using System.Text;
using CsCheck;
using Parquet;
using Parquet.Schema;
using Wisca.Data.Corpora;
using Wisca.Tests;

namespace Wisca.Data.Tests.Corpora;

public sealed class CorpusReaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("one", new[] { "one" })]
    [InlineData("one\ntwo\n", new[] { "one\ntwo" })]
    [InlineData("\uFEFFone\r\n", new[] { "one" })]
    [InlineData("one\n\n", new[] { "one\n" })]
    [InlineData("one\n<|endoftext|>\ntwo\n<|endoftext|>\n", new[] { "one", "two" })]
    [InlineData("one\r\n<|endoftext|>\r\n\r\ntwo\r\n<|endoftext|>", new[] { "one", "\r\ntwo" })]
    [InlineData("<|endoftext|>\n<|endoftext|>\n \t\n<|endoftext|>\none", new[] { "one" })]
    [InlineData("one <|endoftext|>\n<|endoftext|> two\n", new[] { "one <|endoftext|>\n<|endoftext|> two" })]
    [InlineData("", new string[0])]
    [InlineData("\uFEFF", new string[0])]
    [InlineData("ünï\u2028😀", new[] { "ünï\u2028😀" })]
    public void Documents_Text_AreSeparatedByTheLine(string content, string[] expected)
    {
        Read(Write("a.txt", content)).ShouldBe(expected);
        File.WriteAllBytes(_folder["a.txt.gz"], Gzip(Encoding.UTF8.GetBytes(content)));
        Read(_folder["a.txt.gz"]).ShouldBe(expected);
    }

    [Fact]
    public void Documents_OtherSeparatorOrNone_IsObeyed()
    {
        string path = Write("a.txt", "one\n<|endoftext|>\ntwo\n---\nthree");
        Read(new CorpusReaderOptions { Separator = "---" }, path).ShouldBe(["one\n<|endoftext|>\ntwo", "three"]);
        Read(new CorpusReaderOptions { Separator = null }, path).ShouldBe(["one\n<|endoftext|>\ntwo\n---\nthree"]);
        Should.Throw<WiscaException>(() => Read(new CorpusReaderOptions { Separator = "a\nb" }, path)).Message.ShouldContain("separator");
    }

    [Fact]
    public void Documents_AnyTexts_ComeBackFromEveryFormat()
    {
        // Lengths around the buffers of the reader (128 KiB), where lines and multi-byte characters are cut.
        string[] parts = ["a", "ü", "😀", "\n", "\r", "\"", "\\", "\u2028", "word "];
        Gen.Int[0, parts.Length - 1].Select(i => parts[i]).Array[1, 100].Select(chosen => "x" + string.Concat(chosen))
            .Select(Gen.Int[1, 400], (text, times) => string.Concat(Enumerable.Repeat(text, times)) + "x").Array[1, 6]
            .Sample(
                texts =>
                {
                    string text = Write("p.txt", string.Join("\n<|endoftext|>\n", texts));
                    string lines = Write(
                        "p.jsonl",
                        string.Join(
                            "\n",
                            texts.Select(document =>
                                System.Text.Json.JsonSerializer.Serialize(
                                    new
                                    {
                                        id = 1,
                                        nested = new { text = 2 },
                                        text = document,
                                    }))));
                    Read(text).ShouldBe(texts);
                    Read(lines).ShouldBe(texts);
                    Read(WriteGzip("p.jsonl.gz", File.ReadAllBytes(lines))).ShouldBe(texts);
                },
                iter: 8,
                threads: 1);
    }

    [Theory]
    [InlineData("{\"text\": \"a\"}\n{\"id\": 1}", ":2: the object has no field 'text'")]
    [InlineData("\n{\"text\": 5}", ":2: field 'text' is no string")]
    [InlineData("{\"text\": null}", ":1: field 'text' is no string")]
    [InlineData("{\"text\": \"a\"}\n\n{\"text\": \"b\"", ":3: not valid JSON")]
    [InlineData("{\"text\": \"a\"} x", ":1: not valid JSON")]
    [InlineData("{\"text\": \"a\", \"text\": \"b\"}", ":1: field 'text' comes twice")]
    [InlineData("[\n{\"text\": \"a\"}]", ":1: expected a JSON object")]
    [InlineData("{\"text\": \"\\ud800\"}", ":1: field 'text' escapes half a surrogate pair")]
    [InlineData("{\"other\": {\"text\": \"a\"}}", ":1: the object has no field 'text'")]
    public void Documents_BrokenJsonLine_NamesTheLine(string content, string expected)
    {
        string path = Write("a.jsonl", content);
        var error = Should.Throw<WiscaException>(() => Read(path));
        error.Message.ShouldStartWith(path + expected);
        error.Hint.ShouldNotBeNull();
    }

    [Fact]
    public void Documents_NamedField_IsRead() =>
        Read(
                new CorpusReaderOptions { Field = "inhalt" },
                Write("a.ndjson", "{\"text\": 1, \"inhalt\": \"a\"}\r\n\r\n{\"inhalt\": \"b\"}\r\n"))
            .ShouldBe(["a", "b"]);

    [Fact]
    public void Documents_BytesThatAreNoUtf8_NameTheLine()
    {
        File.WriteAllBytes(_folder["a.txt"], [.. "one\n<|endoftext|>\ntwo\nthr"u8, 0xE9, .. "e\n"u8]);
        Should.Throw<WiscaException>(() => Read(_folder["a.txt"])).Message.ShouldBe($"{_folder["a.txt"]}:4: byte 0xE9 is not valid UTF-8");
        File.WriteAllBytes(_folder["b.txt"], Encoding.Unicode.GetPreamble().Concat(Encoding.Unicode.GetBytes("one")).ToArray());
        Should.Throw<WiscaException>(() => Read(_folder["b.txt"])).Message.ShouldEndWith("b.txt is in UTF-16, which is not read");
        File.WriteAllBytes(_folder["a.jsonl"], [.. "{\"text\": \"a\"}\n{\"text\": \""u8, 0xE9, .. "\"}\n"u8]);
        Should.Throw<WiscaException>(() => Read(_folder["a.jsonl"])).Message.ShouldContain("a.jsonl:2: byte 0xE9 is not valid UTF-8");
    }

    [Fact]
    public void Documents_DamagedGzip_IsAnErrorWhereverItIsCut()
    {
        var random = new Random(1);
        string text = string.Join("\n", Enumerable.Range(0, 3000).Select(_ => random.Next()));
        byte[] whole = Gzip(Encoding.UTF8.GetBytes(text));
        string.Concat(Read(WriteGzip("whole.txt.gz", Encoding.UTF8.GetBytes(text)))).ShouldBe(text);
        foreach (
            int length in (int[])
                [1, 5, 9, 10, 11, 100, whole.Length / 2, whole.Length - 9, whole.Length - 8, whole.Length - 4, whole.Length - 1])
            ShouldBeDamaged(whole[..length]);
        ShouldBeDamaged([.. whole, 1, 2, 3]);
        for (int i = 0; i < 40; i++)
        {
            byte[] changed = [.. whole];
            changed[random.Next(10, whole.Length)] ^= (byte)(1 << random.Next(8));
            ShouldBeDamaged(changed);
        }

        void ShouldBeDamaged(byte[] bytes)
        {
            File.WriteAllBytes(_folder["a.txt.gz"], bytes);
            Should
                .Throw<WiscaException>(() => Read(_folder["a.txt.gz"]))
                .Message.ShouldContain("the compressed data is damaged or was cut short");
        }
    }

    [Fact]
    public void Documents_GzipOfSeveralMembers_AreAllRead()
    {
        File.WriteAllBytes(_folder["a.txt.gz"], [.. Gzip("one\n"u8.ToArray()), .. Gzip([]), .. Gzip("two"u8.ToArray())]);
        Read(_folder["a.txt.gz"]).ShouldBe(["one\ntwo"]);
    }

    [Fact]
    public async Task Documents_Parquet_AreTheRowsOfAllGroups()
    {
        await WriteParquet("a.parquet", ["one", "two\n<|endoftext|>\n"], [" "], ["ünï 😀"]);
        Read(_folder["a.parquet"]).ShouldBe(["one", "two\n<|endoftext|>\n", "ünï 😀"]);
        using (var packed = new GZipStream(File.Create(_folder["p.parquet.gz"]), CompressionLevel.Fastest))
            packed.Write(File.ReadAllBytes(_folder["a.parquet"]));
        Read(_folder["p.parquet.gz"]).ShouldBe(["one", "two\n<|endoftext|>\n", "ünï 😀"]);
        File.WriteAllBytes(_folder["q.parquet.gz"], File.ReadAllBytes(_folder["p.parquet.gz"])[..^9]);
        Should.Throw<WiscaException>(() => Read(_folder["q.parquet.gz"])).Message.ShouldContain("q.parquet.gz cannot be unpacked");
        Should
            .Throw<WiscaException>(() => Read(new CorpusReaderOptions { Field = "body" }, _folder["a.parquet"]))
            .Message.ShouldContain("has no column 'body': it has id, text");
        Should
            .Throw<WiscaException>(() => Read(new CorpusReaderOptions { Field = "id" }, _folder["a.parquet"]))
            .Message.ShouldContain("column 'id' does not hold strings");
    }

    [Fact]
    public async Task Documents_DamagedParquet_IsAnError()
    {
        await WriteParquet("a.parquet", ["one", "two"]);
        byte[] whole = File.ReadAllBytes(_folder["a.parquet"]);
        foreach (int length in (int[])[0, 3, 8, whole.Length / 2, whole.Length - 1])
        {
            File.WriteAllBytes(_folder["b.parquet"], whole[..length]);
            Should.Throw<WiscaException>(() => Read(_folder["b.parquet"])).Message.ShouldContain("b.parquet cannot be read as Parquet");
        }

        await WriteParquet("c.parquet", ["one"], ["two", null]);
        Should.Throw<WiscaException>(() => Read(_folder["c.parquet"])).Message.ShouldContain("row 3 of column 'text' is null");
    }

    [Fact]
    public void Open_FoldersAndPatterns_GiveFilesInTheOrderOfTheirPaths()
    {
        foreach (
            string name in (string[])["b.txt", "a.txt", "Z.txt", "sub/c.txt", "sub/deep/d.jsonl", "sub/deep/.hidden.txt", ".git/e.txt"])
            Write(name, "{\"text\": \"x\"}");
        Names(_folder.FullPath).ShouldBe(["Z.txt", "a.txt", "b.txt", "sub/c.txt", "sub/deep/d.jsonl"]);
        Names(_folder["*.txt"]).ShouldBe(["Z.txt", "a.txt", "b.txt"]);
        Names(_folder["?.txt"]).ShouldBe(["Z.txt", "a.txt", "b.txt"]);
        Names(_folder["**", "*.txt"]).ShouldBe(["Z.txt", "a.txt", "b.txt", "sub/c.txt"]);
        Names(_folder["s*", "**", "*.*"]).ShouldBe(["sub/c.txt", "sub/deep/d.jsonl"]);
        Names(_folder["sub", "**"]).ShouldBe(["sub/c.txt", "sub/deep/d.jsonl"]);
        Names(_folder["*", "?.txt"]).ShouldBe(["sub/c.txt"]);
        Names(_folder["b.txt"], _folder["*.txt"], _folder["sub", "..", "a.txt"]).ShouldBe(["b.txt", "Z.txt", "a.txt"]);
        CorpusReader.Open([_folder.FullPath]).Length.ShouldBe(5 * 13);
    }

    [Fact]
    public void Open_SourcesThatAreNone_AreErrors()
    {
        Directory.CreateDirectory(_folder["empty"]);
        Write("mixed/a.txt", "a");
        string code = Write("mixed/b.py", "print(1)");
        ShouldFail(_folder["none.txt"], "none.txt does not exist");
        ShouldFail(_folder["empty"], "holds no file");
        ShouldFail(_folder["mixed", "*.jsonl"], "no file matches");
        ShouldFail(_folder["nowhere", "*.txt"], "nowhere/ of");
        ShouldFail(_folder["mixed"], "b.py is no corpus file: expected .txt");
        ShouldFail(_folder["mixed", "*"], "b.py is no corpus file");
        ShouldFail("", "path is empty");
        Read(code).ShouldBe(["print(1)"]);
        File.CreateSymbolicLink(_folder["dangling.txt"], _folder["nowhere.txt"]);
        ShouldFail(_folder["dangling.txt"], "is a link to");

        static void ShouldFail(string source, string expected)
        {
            var error = Should.Throw<WiscaException>(() => CorpusReader.Open([source]));
            error.Message.ShouldContain(expected);
            error.Hint.ShouldNotBeNull();
        }
    }

    [Fact]
    public void Documents_FileThatVanished_IsAnError()
    {
        var corpus = CorpusReader.Open([Write("a.txt", "a")]);
        File.Delete(_folder["a.txt"]);
        Should.Throw<WiscaException>(() => corpus.Documents().Count()).Message.ShouldContain("a.txt does not exist");
    }

    [Fact]
    public void Documents_Progress_EndsAtTheLength()
    {
        var corpus = CorpusReader.Open([
            Write("a.txt", "one\n<|endoftext|>\ntwo"), Write("b.jsonl", "{\"text\": \"x\"}"), WriteGzip("c.txt.gz", "three"u8.ToArray()),
        ]);
        var seen = new Seen();
        corpus.Documents(seen).Count().ShouldBe(4);
        seen.Values.ShouldBe(seen.Values.Order());
        seen.Values[^1].ShouldBe(corpus.Length);
    }

    private static string[] Read(params string[] sources) => Read(new CorpusReaderOptions(), sources);

    private static string[] Read(CorpusReaderOptions options, params string[] sources) =>
        [.. CorpusReader.Open(sources, options).Documents()];

    private static byte[] Gzip(byte[] content)
    {
        using var target = new MemoryStream();
        using (var stream = new GZipStream(target, CompressionLevel.Fastest)) stream.Write(content);
        return target.ToArray();
    }

    private string[] Names(params string[] sources) =>
        [.. CorpusReader.Open(sources).Files.Select(file => Path.GetRelativePath(_folder.FullPath, file.FullPath))];

    private string Write(string name, string content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder[name])!);
        File.WriteAllText(_folder[name], content);
        return _folder[name];
    }

    private string WriteGzip(string name, byte[] content)
    {
        File.WriteAllBytes(_folder[name], Gzip(content));
        return _folder[name];
    }

    private async Task WriteParquet(string name, params string?[][] groups)
    {
        var (id, text) = (new DataField<int>("id"), new DataField<string>("text"));
        using var stream = File.Create(_folder[name]);
        await using var writer = await ParquetWriter.CreateAsync(new ParquetSchema(id, text), stream);
        foreach (string?[] group in groups)
        {
            using var rows = writer.CreateRowGroup();
            await rows.WriteAsync<int>(id, Enumerable.Range(0, group.Length).ToArray().AsMemory());
            await rows.WriteAsync(text, (IReadOnlyCollection<string?>)group);
        }
    }

    private sealed class Seen : IProgress<long>
    {
        public List<long> Values { get; } = [];

        public void Report(long value) => Values.Add(value);
    }
}
