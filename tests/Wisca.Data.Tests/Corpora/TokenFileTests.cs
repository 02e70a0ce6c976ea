using System.Buffers.Binary;
using CsCheck;
using Wisca.Data.Corpora;
using Wisca.Tests;

namespace Wisca.Data.Tests.Corpora;

public sealed class TokenFileTests : IDisposable
{
    private const string Hash = "00112233445566778899aabbccddeeff";
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2048)]
    [InlineData(65536)]
    [InlineData(65537)]
    [InlineData(int.MaxValue)]
    public void Read_WhatWasWritten_ComesBackAtEveryOffset(int vocabulary)
    {
        var random = new Random(vocabulary);
        int[][] documents =
        [
            .. Enumerable.Range(1, 60).Select(length => Enumerable.Range(0, length * 20).Select(_ => random.Next(vocabulary)).ToArray()),
        ];
        documents[3][1] = vocabulary - 1;
        Write(vocabulary, documents);
        using var file = TokenFile.Open(_folder["a.tokens"]);
        long[] all = [.. documents.SelectMany(ids => ids).Select(id => (long)id)];
        (file.Count, file.Documents, file.VocabularySize, file.TokenizerHash, file.EosId, file.TextBytes).ShouldBe(
            (all.LongLength, 60L, vocabulary, Hash, 0, 60L * 7));
        new FileInfo(_folder["a.tokens"]).Length.ShouldBe(128 + (all.Length * (vocabulary <= 65536 ? 2 : 4)));
        Gen.Int[0, all.Length]
            .SelectMany(offset => Gen.Int[0, Math.Min(300, all.Length - offset)], (offset, length) => (offset, length))
            .Sample(
                range =>
                {
                    long[] ids = new long[range.length];
                    file.Read(range.offset, ids);
                    ids.ShouldBe(all[range.offset..(range.offset + range.length)]);
                },
                iter: 500);
    }

    [Fact]
    public void Layout_IsTheDocumentedOne()
    {
        Write(300, [[5, 299, 0]]);
        byte[] bytes = File.ReadAllBytes(_folder["a.tokens"]);
        bytes[..8].ShouldBe("WISCATOK"u8.ToArray());
        bytes[8..24].ShouldBe(new byte[] { 1, 0, 0, 0, 16, 0, 0, 0, 0x2C, 1, 0, 0, 0, 0, 0, 0 });
        bytes[24..48].ShouldBe(new byte[] { 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0 });
        bytes[48..64].ShouldBe(Convert.FromHexString(Hash));
        bytes[64..128].ShouldAllBe(value => value == 0);
        bytes[128..].ShouldBe(new byte[] { 5, 0, 0x2B, 1, 0, 0 });
    }

    [Fact]
    public void Open_EmptyFile_HasNoTokens()
    {
        Write(10, []);
        using var file = TokenFile.Open(_folder["a.tokens"]);
        file.Count.ShouldBe(0);
        file.Read(0, []);
        Should.Throw<ArgumentOutOfRangeException>(() => file.Read(0, new long[1]));
    }

    [Fact]
    public void Read_FileCutShortMeanwhile_IsAnError()
    {
        if (OperatingSystem.IsWindows()) return; // it does not let another program
        Write(10, [[1, 2, 3, 4]]);
        using var file = TokenFile.Open(_folder["a.tokens"]);
        using (var other = new FileStream(_folder["a.tokens"], FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) other.SetLength(132);
        file.Read(0, new long[2]);
        Should.Throw<WiscaException>(() => file.Read(1, new long[2])).Message.ShouldContain("a.tokens: the file shrank");
    }

    [Fact]
    public void Read_OutOfRange_Throws()
    {
        Write(10, [[1, 2, 3]]);
        var file = TokenFile.Open(_folder["a.tokens"]);
        Should.Throw<ArgumentOutOfRangeException>(() => file.Read(-1, new long[1]));
        Should.Throw<ArgumentOutOfRangeException>(() => file.Read(3, new long[1]));
        Should.Throw<ArgumentOutOfRangeException>(() => file.Read(long.MaxValue, new long[1]));
        Should.Throw<ArgumentOutOfRangeException>(() => file.Read(0, new long[4]));
        file.Dispose();
        file.Dispose();
        Should.Throw<ObjectDisposedException>(() => file.Read(0, new long[1]));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void Read_IdBeyondTheVocabulary_IsAnErrorWhereverItLies(int width)
    {
        int vocabulary = width == 2 ? 1000 : 100_000;
        int[] ids = new int[100];
        for (int at = 0; at < ids.Length; at++)
        {
            Write(vocabulary, [ids], force: true);
            byte[] bytes = File.ReadAllBytes(_folder["a.tokens"]);
            if (width == 2) BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(128 + (2 * at)), 1000);
            else BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(128 + (4 * at)), 0x8000_0000);
            File.WriteAllBytes(_folder["a.tokens"], bytes);
            using var file = TokenFile.Open(_folder["a.tokens"]);
            Should
                .Throw<WiscaException>(() => file.Read(0, new long[100]))
                .Message.ShouldContain($"is beyond the vocabulary of {vocabulary}");
            file.Read(0, new long[at]);
        }
    }

    [Fact]
    public void Open_EveryTruncationAndAnyAddition_IsAnError()
    {
        Write(10, [[1, 2, 3], [4, 5, 6]]);
        byte[] whole = File.ReadAllBytes(_folder["a.tokens"]);
        for (int length = 0; length < whole.Length; length++)
            ShouldFail(
                whole[..length],
                length < 8 ? "is no token file"
                    : length < 128 ? "are too few"
                    : "the header tells of 6 tokens");
        ShouldFail([.. whole, 0], "the header tells of 6 tokens");
        ShouldFail([.. whole, 0, 0], "the header tells of 6 tokens");
    }

    [Theory]
    [InlineData(0, 'X', "is no token file")]
    [InlineData(8, 2, "version 2, expected 1")]
    [InlineData(12, 32, "ids of 32 bits")]
    [InlineData(12, 17, "ids of 17 bits")]
    [InlineData(16, 0, "vocabulary size 0")]
    [InlineData(19, 0x80, "vocabulary size -")]
    [InlineData(20, 10, "EOS id 10")]
    [InlineData(31, 0x80, "tokens")]
    [InlineData(31, 0x7F, "the header tells of")]
    [InlineData(32, 7, "7 documents")]
    [InlineData(47, 0xFF, "bytes of text")]
    [InlineData(100, 1, "reserved")]
    public void Open_DamagedHeader_IsAnError(int at, int value, string expected)
    {
        Write(10, [[1, 2, 3], [4, 5, 6]]);
        byte[] bytes = File.ReadAllBytes(_folder["a.tokens"]);
        bytes[at] = (byte)value;
        ShouldFail(bytes, expected);
    }

    [Fact]
    public void Open_WhatIsNoFile_IsAnError()
    {
        Should.Throw<WiscaException>(() => TokenFile.Open(_folder["none"])).Message.ShouldContain("does not exist");
        Should.Throw<WiscaException>(() => TokenFile.Open(_folder.FullPath)).Message.ShouldContain("is a folder");
    }

    [Fact]
    public void Writer_UntilCommitted_LeavesThePlaceAlone()
    {
        using (var writer = TokenFileWriter.Create(_folder["a.tokens"], 10, Hash, null))
        {
            writer.Append([1, 2]);
            Directory.GetFiles(_folder.FullPath, "a.tokens").ShouldBeEmpty();
        }

        Directory.GetFileSystemEntries(_folder.FullPath).ShouldBeEmpty();
        Write(10, [[1]]);
        Directory.GetFileSystemEntries(_folder.FullPath).ShouldBe([_folder["a.tokens"]]);
        Should.Throw<WiscaException>(() => TokenFileWriter.Create(_folder["a.tokens"], 10, Hash, null)).Message.ShouldContain("exists");
        Write(10, [[1, 2]], force: true);
        File.WriteAllText(_folder["precious.txt"], "precious");
        Should
            .Throw<WiscaException>(() => TokenFileWriter.Create(_folder["precious.txt"], 10, Hash, null, force: true))
            .Message.ShouldContain("is no token file");
        Should
            .Throw<WiscaException>(() => TokenFileWriter.Create(_folder["nowhere", "a"], 10, Hash, null))
            .Message.ShouldContain("does not exist");
        Should.Throw<WiscaException>(() => TokenFileWriter.Create(_folder.FullPath, 10, Hash, null)).Message.ShouldContain("is a folder");
    }

    [Fact]
    public void Writer_WhatIsNoId_IsRefused()
    {
        using var writer = TokenFileWriter.Create(_folder["a.tokens"], 10, Hash, 9);
        Should.Throw<WiscaException>(() => writer.Append([10])).Message.ShouldContain("id 10 of document 0 is beyond the vocabulary of 10");
        Should.Throw<WiscaException>(() => writer.Append([-1]));
        Should.Throw<ArgumentException>(() => writer.Append([]));
        Should.Throw<ArgumentException>(() => TokenFileWriter.Create(_folder["b.tokens"], 10, "hash", null));
        Should.Throw<ArgumentOutOfRangeException>(() => TokenFileWriter.Create(_folder["b.tokens"], 10, Hash, 10));
    }

    private void Write(int vocabulary, int[][] documents, bool force = false)
    {
        using var writer = TokenFileWriter.Create(_folder["a.tokens"], vocabulary, Hash, 0, force);
        foreach (int[] ids in documents) writer.Append(ids, 7);
        writer.Commit();
    }

    private void ShouldFail(byte[] bytes, string expected)
    {
        File.WriteAllBytes(_folder["bad.tokens"], bytes);
        var error = Should.Throw<WiscaException>(() => TokenFile.Open(_folder["bad.tokens"]));
        error.Message.ShouldContain(expected);
        error.Message.ShouldContain("bad.tokens");
        error.Hint.ShouldNotBeNull();
    }
}
