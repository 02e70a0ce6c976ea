using System.IO.Compression;
using System.Text;
using Wisca.Data.Corpora;
using Wisca.Tests;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace Wisca.Data.Tests.Corpora.Reading;

/// <summary>What files are told by their first bytes: zstd and gzip are read whatever their names, the rest is refused by name.</summary>
public sealed class CompressionTests : IDisposable
{
    private static readonly byte[] Skipped = [0x53, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Documents_Zstd_AreReadFromAnyFrames()
    {
        byte[] one = "{\"text\": \"one\"}\n{\"text\": \"tw"u8.ToArray(), two = "o\"}\n"u8.ToArray();
        Read("a.jsonl.zst", [.. Zstd(one), .. Skipped, .. Zstd([]), .. Zstd(two), .. Skipped]).ShouldBe(["one", "two"]);
        Read("b.jsonl", [.. Skipped, .. Zstd([.. one, .. two])]).ShouldBe(["one", "two"]);
        Read("c.txt.zstd", Zstd("\uFEFFone\n<|endoftext|>\ntwo"u8.ToArray())).ShouldBe(["one", "two"]);
        Read("d.txt", Gzip("one"u8.ToArray())).ShouldBe(["one"]);
    }

    [Fact]
    public void Documents_LongWindow_IsRead()
    {
        // What comes again lies 70 MB back, in a window of 2 GiB: decoders go no further than 128 MB unasked.
        byte[] noise = new byte[70 << 20];
        new Random(3).NextBytes(noise);
        for (int i = 0; i < noise.Length; i++) noise[i] = (byte)('a' + (noise[i] & 15));
        byte[] content = [.. noise, .. noise.AsSpan(..(1 << 20))];
        byte[] packed = Zstd(content, compressor =>
        {
            compressor.SetParameter(ZSTD_cParameter.ZSTD_c_enableLongDistanceMatching, 1);
            compressor.SetParameter(ZSTD_cParameter.ZSTD_c_windowLog, 31);
        });
        Read("a.txt.zst", packed).Single().Length.ShouldBe(content.Length);
    }

    [Fact]
    public void Documents_WindowBeyondAllLimits_SaysSo() =>
        Should
            .Throw<WiscaException>(() => Read("a.txt.zst", [0x28, 0xB5, 0x2F, 0xFD, 0, 30 << 3, 1, 0, 0]))
            .Message.ShouldContain("refer back further than 2 GiB");

    [Fact]
    public void Documents_DamagedZstd_IsAnErrorWhereverItIsCut()
    {
        var random = new Random(1);
        byte[] first = Zstd(Text(1000)), whole = [.. first, .. Zstd(Text(1000))];
        for (int length = 0; length < whole.Length; length += length < 20 ? 1 : 97)
        {
            if (length != first.Length) ShouldBeDamaged(whole[..length]);
        }

        ShouldBeDamaged([.. whole, 1, 2, 3]);
        ShouldBeDamaged([.. whole, .. Skipped.AsSpan(..^1)]);
        for (int trial = 0; trial < 40; trial++)
        {
            byte[] changed = [.. whole];
            changed[random.Next(8, whole.Length)] ^= (byte)(1 << random.Next(8));
            ShouldBeDamaged(changed);
        }

        byte[] Text(int lines) => Encoding.UTF8.GetBytes(string.Join("\n", Enumerable.Range(0, lines).Select(_ => random.Next())));

        void ShouldBeDamaged(byte[] bytes) =>
            Should.Throw<WiscaException>(() => Read("a.txt.zst", bytes)).Message.ShouldMatch("damaged or was cut short|refer back further");
    }

    [Fact]
    public void Documents_OtherKinds_AreRefusedByName()
    {
        byte[] tar = new byte[1024];
        "a.txt"u8.CopyTo(tar);
        "ustar"u8.CopyTo(tar.AsSpan(257));
        ShouldBe([.. "BZh9"u8, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, 0, 0], "is compressed with bzip2", "bunzip2");
        ShouldBe([0xFD, .. "7zXZ"u8, 0, 0, 4], "is compressed with xz", "unxz");
        ShouldBe([0x04, 0x22, 0x4D, 0x18, 0x64], "is compressed with lz4", "unlz4");
        ShouldBe([.. "PK"u8, 3, 4, 20, 0], "is a zip archive", "unpack");
        ShouldBe([.. "7z"u8, 0xBC, 0xAF, 0x27, 0x1C, 0, 4], "is a 7z archive", "unpack");
        ShouldBe(tar, "is a tar archive, which", "unpack");
        ShouldBe(Gzip(tar), "is a tar archive, inside of gzip", "unpack");
        ShouldBe(Zstd(tar), "is a tar archive, inside of zstd", "unpack");
        ShouldBe([.. "ARROW1"u8, 0, 0, 1], "is an Arrow file", "to_parquet");
        ShouldBe([0xFF, 0xFF, 0xFF, 0xFF, 0x10, 0, 0, 0], "is an Arrow stream", "to_parquet");
        ShouldBe([.. "PAR1"u8, 0x15, 0], "is a Parquet file", ".parquet");
        ShouldBe([0xFF, 0xFE, (byte)'a', 0], "is in UTF-16", "UTF-8");

        void ShouldBe(byte[] bytes, string what, string hint)
        {
            foreach (string name in (string[])["a.txt", "a.jsonl", "a.unknown"])
            {
                var error = Should.Throw<WiscaException>(() => Read(name, bytes));
                error.Message.ShouldStartWith($"{_folder[name]} {what}");
                error.Message.ShouldEndWith("which is not read");
                error.Hint!.ShouldContain(hint);
            }
        }
    }

    [Fact]
    public void Open_FolderWithAnotherKind_IsRefusedByName()
    {
        Directory.CreateDirectory(_folder["texts"]);
        File.WriteAllBytes(_folder["texts", "data-00000.arrow"], [0xFF, 0xFF, 0xFF, 0xFF, 0x10, 0, 0, 0]);
        Should.Throw<WiscaException>(() => CorpusReader.Open([_folder["texts"]])).Message.ShouldEndWith(
            "data-00000.arrow is an Arrow stream, which is not read");
    }

    [Theory]
    [InlineData("a.jsonl.bz2", "is compressed with bzip2, which is not read")]
    [InlineData("a.jsonl.xz", "is compressed with xz, which is not read")]
    [InlineData("a.jsonl.zst", "the compressed data is damaged or was cut short")] // it lacks its checksum, as zstd -t says too
    public void Documents_Cases_AreNamed(string name, string expected)
    {
        string path = TestData.Require("cases", "compressed-corpora", name);
        Should.Throw<WiscaException>(() => CorpusReader.Open([path]).Documents().Count()).Message.ShouldContain(expected);
    }

    private static byte[] Gzip(byte[] content)
    {
        using var target = new MemoryStream();
        using (var stream = new GZipStream(target, CompressionLevel.Fastest)) stream.Write(content);
        return target.ToArray();
    }

    private static byte[] Zstd(byte[] content, Action<Compressor>? configure = null)
    {
        using var compressor = new Compressor(1);
        compressor.SetParameter(ZSTD_cParameter.ZSTD_c_checksumFlag, 1);
        configure?.Invoke(compressor);
        using var target = new MemoryStream();
        using (var stream = new CompressionStream(target, compressor, leaveOpen: true)) stream.Write(content);
        return target.ToArray();
    }

    private string[] Read(string name, byte[] content)
    {
        File.WriteAllBytes(_folder[name], content);
        return [.. CorpusReader.Open([_folder[name]]).Documents()];
    }
}
