using Wisca.Data.Corpora.Reading;
using Wisca.Data.Corpora.Reading.Packing;
using Wisca.Files;

namespace Wisca.Data.Instructions;

/// <summary>
/// Reads instruction data: files of one JSON array, or of one JSON object a line (told by the first character), both also compressed with
/// gzip or zstd, and Parquet (all told by their first bytes). What examples say beyond what is read of them is counted.
/// </summary>
public sealed class InstructionReader
{
    private const string Hint = "expected a JSON array of objects, or one JSON object a line";

    private readonly InstructionReaderOptions _options;
    private readonly InstructionParser _parser;

    /// <param name="options">How examples are read; null for the defaults.</param>
    public InstructionReader(InstructionReaderOptions? options = null)
    {
        _options = options ?? new InstructionReaderOptions();
        _parser = new InstructionParser(_options) { Format = InstructionFormat.Auto };
    }

    /// <summary>Number of examples that were left out because an answer is empty.</summary>
    public int Dropped => _parser.Dropped;

    /// <summary>Number of examples that were left out because the data says of all their answers not to train on them.</summary>
    public int Untrained => _parser.Untrained;

    /// <summary>What examples say beyond what was read of them.</summary>
    public UnusedKeys Unused => _parser.Unused;

    /// <summary>The format of what was read last; <see cref="InstructionFormat.Auto"/> before that.</summary>
    public InstructionFormat Format => _parser.Format;

    /// <summary>Reads the examples of a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellation">Ends the reading, also while a file keeps it waiting.</param>
    /// <exception cref="WiscaException">
    /// It cannot be read, is no JSON, has an example without the keys of its format or with an empty answer, or has none. The message names
    /// the file and the line, the item or the row.
    /// </exception>
    public IReadOnlyList<Instruction> Read(string path, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(path);
        _parser.Format = _options.Format;
        var examples = new List<Instruction>();
        int before = Unused.Examples;
        foreach (var example in IsParquet(path) ? Rows(path, cancellation) : Texts(path, cancellation))
        {
            if (example is not null) examples.Add(example);
        }

        return Unused.Examples > before ? examples : throw new WiscaException($"{path} has no example", Hint);
    }

    /// <summary>Counts among <see cref="Unused"/> what an example says and a template has no form for.</summary>
    /// <param name="example">An example that was read.</param>
    /// <param name="template">The template.</param>
    public void Count(Instruction example, InstructionTemplate template)
    {
        ArgumentNullException.ThrowIfNull(example);
        ArgumentNullException.ThrowIfNull(template);
        Unused.AddTo(template.Unused(example));
    }

    private static bool IsParquet(string path)
    {
        try
        {
            using var file = PackedFile.Open(path);
            Span<byte> head = stackalloc byte[4];
            int length = file.Content.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
            return head[..length].SequenceEqual("PAR1"u8)
                || Path.GetExtension(path[..^PackedFile.ExtensionOf(path).Length]).Equals(".parquet", StringComparison.OrdinalIgnoreCase);
        }
        catch (InvalidDataException)
        {
            // Told by whoever reads it.
            return false;
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException($"{path} {FileFailure.Reason(path, exception)}", "name a file of instruction data", exception);
        }
    }

    private IEnumerable<Instruction?> Rows(string path, CancellationToken cancellation)
    {
        int number = 0;
        foreach (var row in ParquetRows.Read(path, path, cancellation))
        {
            using (row) yield return _parser.Read(row.RootElement, $"{path}: row {++number}");
        }
    }

    private IEnumerable<Instruction?> Texts(string path, CancellationToken cancellation)
    {
        using var reader = LineReader.Open(path, path);
        if (reader.PeekFirst() == '[')
        {
            using var document = JsonText.Parse(reader.ReadRest(), path, Hint);
            int number = 0;
            foreach (var item in document.RootElement.EnumerateArray()) yield return _parser.Read(item, $"{path}: item {++number}");
            yield break;
        }

        while (Next(reader) is { } line)
        {
            cancellation.ThrowIfCancellationRequested();
            if (line.Length == 0) continue;
            using var document = JsonText.Parse(line, path, Hint, reader.Line);
            yield return _parser.Read(document.RootElement, $"{path}:{reader.Line}");
        }
    }

    /// <summary>The next line, empty where nothing is in it; null at the end.</summary>
    private static ReadOnlyMemory<byte>? Next(LineReader reader)
    {
        if (!reader.TryRead(out var line)) return null;
        return line.ContainsAnyExcept(" \t\r\n"u8) ? line.ToArray() : ReadOnlyMemory<byte>.Empty;
    }
}
