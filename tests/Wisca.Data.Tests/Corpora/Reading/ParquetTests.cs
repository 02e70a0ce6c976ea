using System.Buffers.Binary;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Wisca.Data.Corpora;
using Wisca.Data.Corpora.Reading;
using Wisca.Data.Tests.Tokenizers;
using Wisca.Tests;

namespace Wisca.Data.Tests.Corpora.Reading;

/// <summary>Parquet as arrow-rs writes it, and what becomes of it when it is damaged.</summary>
public sealed class ParquetTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Read_ListsOfStructs_AreTheirRows()
    {
        string[] expected =
        [
            """
            {"messages":[{"role":"user","content":"q0","weight":null},{"role":"assistant","content":"bad","weight":0},
             {"role":"user","content":"again ü😀","weight":null},{"role":"assistant","content":"good","weight":1}],
             "source":"a","images":["x.jpg"],"n":1}
            """,
            """{"messages":[],"source":null,"images":[],"n":null}""",
            """{"messages":null,"source":"c","images":null,"n":3}""",
            """
            {"messages":[{"role":"user","content":"q1","weight":null},{"role":"assistant","content":null,"weight":null}],
             "source":"d","images":["y",null],"n":4}
            """,
        ];
        var rows = Rows(Fixture.PathOf("chat.parquet"));
        rows.Count.ShouldBe(4);
        for (int row = 0; row < rows.Count; row++) JsonNode.DeepEquals(rows[row], JsonNode.Parse(expected[row])).ShouldBeTrue($"row {row}");
    }

    [Theory]
    [InlineData("pages.parquet")]
    [InlineData("pages-v2.parquet")]
    public void Documents_ManyPagesAndGroups_AreAllTexts(string name) =>
        CorpusReader
            .Open([Fixture.PathOf(name)])
            .Documents()
            .ShouldBe(Enumerable.Range(0, 40).Select(i => i % 7 == 3 ? "none" : $"document {i} {new string('x', i % 200)} end {i}"));

    [Fact]
    public void Documents_TextThatIsNoUtf8_IsNotReplaced()
    {
        byte[] bytes = File.ReadAllBytes(Fixture.PathOf("pages.parquet"));
        bytes[bytes.AsSpan().IndexOf("document 20 "u8)] = 0xE9;
        Should.Throw<WiscaException>(() => Read(bytes)).Message.ShouldContain("column 'text' holds a text that is not valid UTF-8");
    }

    [Fact]
    public void Documents_FooterOfAbsurdLength_IsAnErrorAtOnce()
    {
        byte[] bytes = File.ReadAllBytes(Fixture.PathOf("pages.parquet"));
        foreach (uint length in (uint[])[int.MaxValue, uint.MaxValue, (uint)bytes.Length - 11, (uint)bytes.Length, 0x80000000])
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(bytes.Length - 8), length);
            ShouldBeDamaged(bytes);
        }
    }

    [Fact]
    public void Documents_FooterOfOneByteRepeated_IsAnErrorAtOnce()
    {
        // Some of them made the package skip fields for ever, or nest until the stack was full.
        byte[] bytes = new byte[100_012];
        for (int value = 0; value < 256; value++)
        {
            bytes.AsSpan().Fill((byte)value);
            "PAR1"u8.CopyTo(bytes);
            "PAR1"u8.CopyTo(bytes.AsSpan(^4));
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(bytes.Length - 8), (uint)bytes.Length - 12);
            ShouldBeDamaged(bytes);
        }
    }

    [Fact]
    public void Documents_CutAnywhere_IsAnError()
    {
        byte[] bytes = File.ReadAllBytes(Fixture.PathOf("pages-v2.parquet"));
        for (int length = 0; length < bytes.Length; length += 7) ShouldBeDamaged(bytes[..length]);
    }

    [Fact]
    public void Documents_EncryptedOrForeign_IsNamed()
    {
        byte[] bytes = File.ReadAllBytes(Fixture.PathOf("pages.parquet"));
        "PARE"u8.CopyTo(bytes.AsSpan(^4));
        Should.Throw<WiscaException>(() => Read(bytes)).Message.ShouldContain("it is encrypted");
    }

    [Fact]
    public void Read_AnyDamage_EndsSoonAndInWords()
    {
        var random = new Random(7);
        string[] names = ["chat.parquet", "pages.parquet", "pages-v2.parquet"];
        byte[][] seeds = [.. names.Select(name => File.ReadAllBytes(Fixture.PathOf(name)))];
        var clock = Stopwatch.StartNew();
        for (int trial = 0; trial < 1500; trial++)
        {
            byte[] bytes = [.. seeds[trial % seeds.Length]];

            // Half of the damage goes where the file describes itself.
            int from = random.Next(2) == 0 ? 0 : bytes.Length - 8 - BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(bytes.Length - 8));
            for (int change = random.Next(1, 4); change > 0; change--)
                bytes[random.Next(from, bytes.Length)] = random.Next(3) switch { 0 => 0xFF, 1 => 0, _ => (byte)random.Next(256) };
            File.WriteAllBytes(_folder["x.parquet"], bytes);
            using var late = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            try
            {
                foreach (var row in ParquetRows.Read("x.parquet", _folder["x.parquet"], late.Token)) row.Dispose();
            }
            catch (WiscaException exception)
            {
                exception.Message.ShouldStartWith("x.parquet");
            }
        }

        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromMinutes(2));
    }

    /// <summary>A level that the schema does not have is neither a null nor a value.</summary>
    [Fact]
    public void Documents_LevelBeyondTheSchema_IsAnErrorInWords()
    {
        byte[] bytes = File.ReadAllBytes(Fixture.PathOf("pages.parquet"));
        int run = bytes.AsSpan().IndexOf((ReadOnlySpan<byte>)[2, 0, 0, 0, 26, 1]);
        bytes[run + 5] = 3;
        Should.Throw<WiscaException>(() => Read(bytes)).Message.ShouldContain("column 'text' has levels that its schema does not have");
        Should.Throw<WiscaException>(() => Rows(_folder["x.parquet"])).Message.ShouldContain("levels that its schema does not have");
    }

    [Fact]
    public void Documents_Cancelled_StopsAtOnce()
    {
        using var stop = new CancellationTokenSource();
        var documents = CorpusReader.Open([Fixture.PathOf("pages-v2.parquet")]).Documents(null, stop.Token).GetEnumerator();
        documents.MoveNext().ShouldBeTrue();
        stop.Cancel();
        Should.Throw<OperationCanceledException>(() =>
        {
            while (documents.MoveNext())
            {
            }
        });
    }

    [Theory]
    [InlineData("x.parquet", "a footer of 2147483647 bytes in a file of 212")]
    [InlineData("x2.parquet", "it is damaged")]
    public void Documents_CasesThatHung_AreErrorsAtOnce(string name, string expected)
    {
        string path = TestData.Require("cases", "parquet-hang", name);
        Should.Throw<WiscaException>(() => CorpusReader.Open([path]).Documents().Count()).Message.ShouldContain(expected);
    }

    private static List<JsonNode?> Rows(string path) =>
        [
            .. ParquetRows.Read(path, path, CancellationToken.None).Select(row => JsonNode.Parse(row.RootElement.GetRawText())),
        ];

    private void ShouldBeDamaged(byte[] bytes)
    {
        var clock = Stopwatch.StartNew();
        Should.Throw<WiscaException>(() => Read(bytes)).Message.ShouldContain("cannot be read as Parquet");
        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(10));
    }

    private int Read(byte[] bytes)
    {
        File.WriteAllBytes(_folder["x.parquet"], bytes);
        return CorpusReader.Open([_folder["x.parquet"]]).Documents().Count();
    }
}
