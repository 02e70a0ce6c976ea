using System.Buffers.Binary;

namespace Wisca.Data.Corpora;

/// <summary>The head of a token file; <see cref="TokenFile"/> says what is where.</summary>
internal sealed record TokenFileHeader(
    int BytesPerId, int VocabularySize, string TokenizerHash, int? EosId, long Count, long Documents, long TextBytes)
{
    public const int Length = 128;
    private const uint Version = 1;

    private static ReadOnlySpan<byte> Magic => "WISCATOK"u8;

    public static int WidthFor(int vocabularySize) => vocabularySize <= 1 << 16 ? 2 : 4;

    public void Write(Span<byte> target)
    {
        target = target[..Length];
        target.Clear();
        Magic.CopyTo(target);
        BinaryPrimitives.WriteUInt32LittleEndian(target[8..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(target[12..], (uint)BytesPerId * 8);
        BinaryPrimitives.WriteInt32LittleEndian(target[16..], VocabularySize);
        BinaryPrimitives.WriteInt32LittleEndian(target[20..], EosId ?? -1);
        BinaryPrimitives.WriteInt64LittleEndian(target[24..], Count);
        BinaryPrimitives.WriteInt64LittleEndian(target[32..], Documents);
        BinaryPrimitives.WriteInt64LittleEndian(target[40..], TextBytes);
        Convert.FromHexString(TokenizerHash).CopyTo(target[48..]);
    }

    /// <param name="bytes">The first bytes of the file, <see cref="Length"/> of them or all there are.</param>
    /// <param name="fileLength">The length of the file.</param>
    /// <param name="name">The file's name for messages.</param>
    /// <exception cref="WiscaException">The file is no token file, is damaged, or was cut short.</exception>
    public static TokenFileHeader Parse(ReadOnlySpan<byte> bytes, long fileLength, string name)
    {
        const string again = "make it anew with wisca tokenize";
        if (!bytes.StartsWith(Magic))
            throw new WiscaException($"{name} is no token file: it does not begin with WISCATOK", "token files are made by wisca tokenize");
        if (bytes.Length < Length)
            throw new WiscaException($"{name}: {bytes.Length} bytes are too few for a token file", $"it was cut short; {again}");
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]), bits = BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]);
        if (version != Version) throw new WiscaException($"{name}: version {version}, expected {Version}", again);
        int vocabulary = BinaryPrimitives.ReadInt32LittleEndian(bytes[16..]), eos = BinaryPrimitives.ReadInt32LittleEndian(bytes[20..]);
        if (vocabulary < 1) throw Damaged($"vocabulary size {vocabulary}");
        if (bits != 8 * WidthFor(vocabulary)) throw Damaged($"ids of {bits} bits for a vocabulary of {vocabulary}");
        if (eos < -1 || eos >= vocabulary) throw Damaged($"EOS id {eos} for a vocabulary of {vocabulary}");
        long count = BinaryPrimitives.ReadInt64LittleEndian(bytes[24..]),
            documents = BinaryPrimitives.ReadInt64LittleEndian(bytes[32..]),
            text = BinaryPrimitives.ReadInt64LittleEndian(bytes[40..]);
        if (count < 0 || documents < 0 || documents > count || text < 0)
            throw Damaged($"{count} tokens, {documents} documents, {text} bytes of text");
        if (bytes[64..Length].ContainsAnyExcept((byte)0)) throw Damaged("reserved bytes that are not zero");
        long expected = (fileLength - Length) / (bits / 8);
        if (expected != count || (fileLength - Length) % (bits / 8) != 0)
            throw new WiscaException(
                $"{name}: the header tells of {count} tokens, but the file has {fileLength - Length} bytes after it, expected "
                + $"{(Int128)count * (bits / 8)}",
                $"it was cut short or added to; {again}");
        return new TokenFileHeader(
            (int)bits / 8, vocabulary, Convert.ToHexStringLower(bytes[48..64]), eos < 0 ? null : eos, count, documents, text);

        WiscaException Damaged(string what) => new($"{name}: the header is damaged: {what}", again);
    }
}
