using System.Buffers.Binary;

namespace Wisca.Data.Corpora.Reading.Columns;

/// <summary>
/// What a Parquet file says of itself, read strictly before anything is done by it: every length, offset and count agrees with the others
/// and with the file. What is wrong is an <see cref="InvalidDataException"/>.
/// </summary>
internal sealed class ParquetFooter
{
    /// <summary>The most rows of a group, and the most values of a column in it.</summary>
    public const int MostValues = 1 << 28;

    private const int MostBytesOfPage = 1 << 30, Smallest = 12, Deepest = 32;

    // So much is enough for most headers of pages; statistics make them longer.
    private static readonly int[] HeaderLengths = [1 << 10, 1 << 16, 1 << 24];

    private readonly Stream _file;
    private readonly long _end;

    private ParquetFooter(Stream file, long end, ThriftStruct metadata)
    {
        (_file, _end) = (file, end);
        var schema = metadata.Structs(2) ?? throw Damaged("no schema");
        int next = 0, leaf = 0;
        Root = ReadNode(schema, ref next, ref leaf, null);
        if (next != schema.Count) throw Damaged("a schema with something behind its end");
        Leaves = [.. Root.Leaves];
        Groups = [.. (metadata.Structs(4) ?? throw Damaged("no row groups")).Select(ReadGroup)];
        long rows = Groups.Sum(group => (long)group.Rows);
        if (metadata.Number(3) != rows) throw Damaged($"{metadata.Number(3)} rows, and {rows} in its groups");
    }

    /// <summary>The whole schema.</summary>
    public ParquetNode Root { get; }

    /// <summary>The columns.</summary>
    public IReadOnlyList<ParquetNode> Leaves { get; }

    /// <summary>The row groups.</summary>
    public IReadOnlyList<ParquetGroup> Groups { get; }

    /// <summary>Reads the footer of a file.</summary>
    /// <param name="file">The file, which can be read anywhere.</param>
    public static ParquetFooter Read(Stream file)
    {
        long length = file.Length;
        if (length < Smallest) throw Damaged($"{length} bytes, fewer than any Parquet file has");
        byte[] head = At(file, 0, 4), tail = At(file, length - 8, 8);
        if (tail.AsSpan(4).SequenceEqual("PARE"u8)) throw new InvalidDataException("it is encrypted");
        if (!head.AsSpan().SequenceEqual("PAR1"u8) || !tail.AsSpan(4).SequenceEqual("PAR1"u8))
            throw Damaged("no PAR1 at its beginning or its end");
        uint footer = BinaryPrimitives.ReadUInt32LittleEndian(tail);
        if (footer > length - Smallest) throw Damaged($"a footer of {footer} bytes in a file of {length}");
        long end = length - 8 - footer;
        return new ParquetFooter(file, end, ThriftStruct.Read(At(file, end, (int)footer), out _));
    }

    /// <summary>Makes sure that the pages of a column lie in the file, and hold as many values as the column has.</summary>
    public void CheckPages(ParquetGroup group, ParquetNode leaf)
    {
        var chunk = group.Chunks[leaf.Leaf];
        long position = chunk.Offset, values = 0;
        bool dictionary = false;
        while (values < chunk.Values)
        {
            var header = ReadPageHeader(position, out int length);
            long stored = header.Small(3) ?? -1, size = header.Small(2) ?? -1;
            position += length;
            if (stored < 0 || stored > _end - position) throw Damaged($"a page of {stored} bytes at {position}");
            if (size is < 0 or > MostBytesOfPage) throw Damaged($"a page that unpacks to {size} bytes");
            position += stored;
            switch (header.Small(1))
            {
                case 0 when header.Struct(5) is { } data:
                    CheckStatistics(data.Struct(5), Count(data, size));
                    values += Count(data, size);
                    break;
                case 2 when header.Struct(7) is { } entries && values == 0 && !dictionary:
                    // Each entry takes a byte at least.
                    if (entries.Small(1) is not { } count || count < 0 || count > size) throw Damaged("a dictionary of absurd length");
                    dictionary = true;
                    break;
                case 3 when header.Struct(8) is { } data:
                    long levels = (long)(data.Small(5) ?? -1) + (data.Small(6) ?? -1);
                    if (data.Small(5) is null or < 0 || data.Small(6) is null or < 0 || levels > Math.Min(stored, size))
                        throw Damaged($"levels of {levels} bytes in a page of {stored}");
                    int all = Count(data, size);
                    if (data.Small(2) is not { } missing || missing < 0 || missing > all)
                        throw Damaged("more missing values than values");
                    if (leaf.Repeated == 0 && data.Small(3) != all) throw Damaged("another number of rows than of values");
                    CheckStatistics(data.Struct(8), all);
                    values += all;
                    break;
                case 1:
                    break;
                default:
                    throw Damaged($"a page of kind {header.Small(1)} out of place");
            }
        }

        if (values != chunk.Values) throw Damaged($"pages of {values} values in a column of {chunk.Values}");

        static int Count(ThriftStruct data, long size) =>
            data.Small(1) is { } count and >= 0 and <= MostValues
                ? count
                : throw Damaged($"a page of {data.Number(1)} values in {size} bytes");

        static void CheckStatistics(ThriftStruct? statistics, int values)
        {
            if (statistics?.Number(3) is { } missing && (missing < 0 || missing > values))
                throw Damaged("more missing values than values");
        }
    }

    private static InvalidDataException Damaged(string what) => new($"it is damaged ({what})");

    private static byte[] At(Stream file, long position, int length)
    {
        byte[] bytes = new byte[length];
        file.Position = position;
        file.ReadExactly(bytes);
        return bytes;
    }

    private ThriftStruct ReadPageHeader(long position, out int length)
    {
        foreach (int most in HeaderLengths)
        {
            int available = (int)Math.Min(most, _end - position);
            if (available <= 0) break;
            try
            {
                return ThriftStruct.Read(At(_file, position, available), out length);
            }
            catch (Exception exception)
                when (exception is EndOfStreamException or InvalidDataException && available == most && most != HeaderLengths[^1])
            {
                // Perhaps it is longer.
            }
        }

        throw Damaged($"no header of a page at {position}");
    }

    private static ParquetNode ReadNode(IReadOnlyList<ThriftStruct> schema, ref int next, ref int leaf, ParquetNode? parent, int depth = 0)
    {
        if (next >= schema.Count || depth > Deepest) throw Damaged("a schema that does not end, or is too deep");
        var element = schema[next++];
        var repetition = parent is null ? ParquetRepetition.Required : (ParquetRepetition)(element.Small(3) ?? -1);
        int children = element.Small(5) ?? 0;
        var type = (ParquetType?)element.Small(1);
        if (
            !Enum.IsDefined(repetition)
            || children < 0
            || children > schema.Count
            || (type is { } known ? !Enum.IsDefined(known) || children > 0 : children == 0 && parent is not null))
            throw Damaged($"a field {element.Text(4)} that is neither a group nor a column");
        string name = element.Text(4) ?? "";
        var node = new ParquetNode(
            name, repetition, type, Meaning(element), (parent?.Definition ?? 0) + (repetition == ParquetRepetition.Required ? 0 : 1),
            (parent?.Repeated ?? 0) + (repetition == ParquetRepetition.Repeated ? 1 : 0), [])
        {
            Path = parent is null ? [] : [.. parent.Path, name],
            Leaf = leaf,
            IsBelowList = parent?.Meaning == ParquetMeaning.List,
        };
        if (type is not null) leaf++;
        for (int child = 0; child < children; child++) node.Children.Add(ReadNode(schema, ref next, ref leaf, node, depth + 1));
        return node;
    }

    private static ParquetMeaning Meaning(ThriftStruct element)
    {
        var logical = element.Struct(10);
        bool Says(int converted, int field) => element.Small(6) == converted || logical?.Struct(field) is not null;
        return Says(0, 1) || Says(4, 4) || Says(19, 12) ? ParquetMeaning.Text
            : Says(3, 3) ? ParquetMeaning.List
            : Says(1, 2) || Says(2, 2) ? ParquetMeaning.Map
            : ParquetMeaning.Other;
    }

    private ParquetGroup ReadGroup(ThriftStruct group)
    {
        long rows = group.Number(3) ?? -1;
        if (rows is < 0 or > MostValues) throw Damaged($"a row group of {rows} rows");
        var columns = group.Structs(1) ?? [];
        if (columns.Count != Leaves.Count) throw Damaged($"a row group of {columns.Count} columns, and a schema of {Leaves.Count}");
        return new ParquetGroup((int)rows, [.. columns.Select((column, index) => ReadChunk(column, Leaves[index], rows))]);
    }

    private ParquetChunk ReadChunk(ThriftStruct column, ParquetNode leaf, long rows)
    {
        string name = string.Join('.', leaf.Path);
        if (column.Text(1) is { Length: > 0 }) throw new InvalidDataException("its columns lie in other files");
        if (column.Struct(8) is not null) throw new InvalidDataException("it is encrypted");
        var metadata = column.Struct(3) ?? throw Damaged($"no description of column {name}");
        if (metadata.Small(1) != (int)leaf.Type! || metadata.Texts(3)?.SequenceEqual(leaf.Path) != true)
            throw Damaged($"column {name} is not the one that its place says");
        long values = metadata.Number(5) ?? -1, length = metadata.Number(7) ?? -1, data = metadata.Number(9) ?? -1;
        long offset = metadata.Number(11) is { } entries and > 0 ? Math.Min(data, entries) : data;
        if (values is < 0 or > MostValues || (leaf.Repeated == 0 ? values != rows : values < rows))
            throw Damaged($"{values} values of column {name} in {rows} rows");
        if (offset < 4 || length < 0 || length > _end || offset > _end - length) throw Damaged($"column {name} lies outside of the file");
        int codec = metadata.Small(4) ?? -1;
        return codec is >= 0 and <= 7
            ? new ParquetChunk(offset, values, codec)
            : throw Damaged($"column {name} is compressed with {codec}");
    }
}
