using System.Buffers;
using System.Text.Json;
using Wisca.Data.Corpora.Reading.Columns;

namespace Wisca.Data.Corpora.Reading;

/// <summary>
/// The rows of a Parquet file as JSON objects, with lists and structs in any depth: each column says by levels how much of the way to a
/// value is there, and where a list goes on.
/// </summary>
internal sealed class ParquetRows
{
    private readonly ParquetColumn[] _columns;

    // For each column: the next entry, and the next value that is there.
    private readonly int[] _entries, _values;

    private ParquetRows(ParquetColumn[] columns) =>
        (_columns, _entries, _values) = (columns, new int[columns.Length], new int[columns.Length]);

    /// <summary>Reads the rows of a file.</summary>
    /// <param name="name">What messages call it.</param>
    /// <param name="path">Where it is.</param>
    /// <param name="cancellation">Ends it at once.</param>
    public static IEnumerable<JsonDocument> Read(string name, string path, CancellationToken cancellation)
    {
        using var file = ParquetFile.Open(name, path, cancellation);
        for (int group = 0; group < file.Groups.Count; group++)
        {
            var rows = new ParquetRows([.. file.Leaves.Select(leaf => file.Read(group, leaf))]);
            for (int row = 0; row < file.Groups[group].Rows; row++)
            {
                var text = new ArrayBufferWriter<byte>();
                try
                {
                    using var writer = new Utf8JsonWriter(text);
                    rows.WriteContent(writer, file.Root);
                }
                catch (Exception exception) when (exception is InvalidOperationException or IndexOutOfRangeException or ArgumentException)
                {
                    throw new WiscaException(
                        $"{name} cannot be read as Parquet: the levels of its lists contradict each other",
                        "get the file again, or write it anew with another tool", exception);
                }

                yield return JsonDocument.Parse(text.WrittenMemory);
            }
        }
    }

    private void Write(Utf8JsonWriter writer, ParquetNode node)
    {
        int first = node.Leaves.First().Leaf;
        if (node.Repetition != ParquetRepetition.Required && DefinitionOf(first) < node.Definition)
        {
            // Nothing from here on: every column below has an entry that says so.
            foreach (var leaf in node.Leaves) _entries[leaf.Leaf]++;
            if (node.Repetition == ParquetRepetition.Repeated)
            {
                writer.WriteStartArray();
                writer.WriteEndArray();
            }
            else
            {
                writer.WriteNullValue();
            }
        }
        else if (node.Repetition == ParquetRepetition.Repeated)
        {
            writer.WriteStartArray();
            do WriteContent(writer, node);
            while (GoesOn(first, node.Repeated));
            writer.WriteEndArray();
        }
        else if (node is { Meaning: ParquetMeaning.List, Children: [{ Repetition: ParquetRepetition.Repeated } items] })
        {
            Write(writer, items);
        }
        else
        {
            WriteContent(writer, node);
        }
    }

    private void WriteContent(Utf8JsonWriter writer, ParquetNode node)
    {
        if (node.Type is not null)
        {
            WriteValue(writer, node);
        }
        else if (IsItem(node))
        {
            Write(writer, node.Children[0]);
        }
        else
        {
            writer.WriteStartObject();
            foreach (var child in node.Children)
            {
                writer.WritePropertyName(child.Name);
                Write(writer, child);
            }

            writer.WriteEndObject();
        }
    }

    private void WriteValue(Utf8JsonWriter writer, ParquetNode leaf)
    {
        bool there = DefinitionOf(leaf.Leaf) == leaf.Definition;
        _entries[leaf.Leaf]++;
        switch (there ? _columns[leaf.Leaf].Values[_values[leaf.Leaf]++] : null)
        {
            case null: writer.WriteNullValue(); break;
            case bool truth: writer.WriteBooleanValue(truth); break;
            case long whole: writer.WriteNumberValue(whole); break;
            case double number when double.IsFinite(number): writer.WriteNumberValue(number); break;
            case double: writer.WriteNullValue(); break;
            case var text: writer.WriteStringValue((string)text); break;
        }
    }

    /// <summary>True where the next entry of a column is another item of the list that repeats at a level.</summary>
    private bool GoesOn(int leaf, int level) =>
        _columns[leaf].Repetitions is { } levels && _entries[leaf] < levels.Length && levels[_entries[leaf]] == level;

    private int DefinitionOf(int leaf) =>
        _columns[leaf].Definitions is not { } levels ? 0
        : _entries[leaf] < levels.Length ? levels[_entries[leaf]]
        : throw new InvalidOperationException("a column ends before others do");

    /// <summary>True for the group that a list has between itself and its items.</summary>
    private static bool IsItem(ParquetNode node) =>
        node is { Repetition: ParquetRepetition.Repeated, Children.Count: 1, IsBelowList: true } && node.Name != "array";
}
