using System.Text;
using Parquet;
using Parquet.Schema;
using Wisca.Data.Corpora.Reading.Packing;
using Wisca.Files;
using Type = Parquet.Meta.Type;

namespace Wisca.Data.Corpora.Reading.Columns;

/// <summary>
/// A Parquet file. Nothing is left to the package that decodes it before the footer and the headers of the pages were found sound: it
/// believes what they say, and waits for ever for bytes that a damaged file does not have.
/// </summary>
internal sealed class ParquetFile : IDisposable
{
    private const string Hint = "get the file again, or write it anew with another tool";

    private readonly string _name;
    private readonly Stream _stream;
    private readonly CancellationToken _cancellation;
    private readonly ParquetFooter _footer;
    private readonly ParquetReader _reader;
    private readonly DataField[] _fields;

    private ParquetFile(string name, Stream stream, CancellationToken cancellation)
    {
        (_name, _stream, _cancellation) = (name, stream, cancellation);
        _footer = Attempt(() => Task.FromResult(ParquetFooter.Read(stream)));
        _reader = Attempt(() => ParquetReader.CreateAsync(new SoundStream(stream), cancellationToken: cancellation));
        _fields = Attempt(() =>
        {
            // As bytes and plain numbers: the package would replace what is no UTF-8, and refuse dates that it does not know.
            foreach (var element in _reader.Metadata!.Schema.Where(element => element.Type is not null and not Type.INT96))
                (element.ConvertedType, element.LogicalType) = (null, null);
            return Task.FromResult(_reader.Schema.DataFields);
        });
        if (_fields.Length != _footer.Leaves.Count || _reader.RowGroupCount != _footer.Groups.Count)
            throw new WiscaException($"{name} cannot be read as Parquet: its schema is not understood", Hint);
    }

    /// <summary>The whole schema.</summary>
    public ParquetNode Root => _footer.Root;

    /// <summary>The columns.</summary>
    public IReadOnlyList<ParquetNode> Leaves => _footer.Leaves;

    /// <summary>The row groups.</summary>
    public IReadOnlyList<ParquetGroup> Groups => _footer.Groups;

    /// <summary>Opens a file.</summary>
    /// <param name="name">What messages call it.</param>
    /// <param name="path">Where it is.</param>
    /// <param name="cancellation">Ends waiting for it at once.</param>
    public static ParquetFile Open(string name, string path, CancellationToken cancellation)
    {
        var stream = OpenStream(name, path);
        try
        {
            return new ParquetFile(name, stream, cancellation);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Reads a column of a row group.</summary>
    public ParquetColumn Read(int group, ParquetNode leaf)
    {
        Attempt(() =>
        {
            _footer.CheckPages(Groups[group], leaf);
            return Task.FromResult(true);
        });
        return Attempt(() => ReadAsync(group, leaf));
    }

    public void Dispose() => _stream.Dispose();

    private static Stream OpenStream(string name, string path)
    {
        try
        {
            var file = PackedFile.Open(path);
            if (file.Packing is null) return file.Content;
            using (file) return Unpack(file.Content);
        }
        catch (InvalidDataException exception)
        {
            throw new WiscaException($"{name} cannot be unpacked: {exception.Message}", "get the file again", exception);
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException($"{name} {FileFailure.Reason(name, exception)}", "check the path and its permissions", exception);
        }
    }

    /// <summary>Parquet is read from its end, which compressed files cannot be:
    /// it is unpacked into a temporary file, which goes with the stream.</summary>
    private static FileStream Unpack(Stream content)
    {
        var unpacked = new FileStream(
            Path.GetTempFileName(), FileMode.Open, FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose);
        try
        {
            content.CopyTo(unpacked);
            return unpacked;
        }
        catch
        {
            unpacked.Dispose();
            throw;
        }
    }

    private async Task<ParquetColumn> ReadAsync(int group, ParquetNode leaf)
    {
        var field = _fields[leaf.Leaf];
        using var rows = _reader.OpenRowGroupReader(group);
        int count = (int)Groups[group].Chunks[leaf.Leaf].Values;
        int[]? definitions = leaf.Definition > 0 ? new int[count] : null, repetitions = leaf.Repeated > 0 ? new int[count] : null;
        object[] values = leaf.Type switch
        {
            ParquetType.Boolean => await Values<bool>(value => value),
            ParquetType.Int32 => await Values<int>(value => (long)value),
            ParquetType.Int64 => await Values<long>(value => value),
            ParquetType.Float => await Values<float>(value => (double)value),
            ParquetType.Double => await Values<double>(value => value),
            ParquetType.ByteArray => await Values<ReadOnlyMemory<byte>>(value => Text(value.Span, leaf)),
            _ => await Others(),
        };

        // The package hands over what the bytes say: a level beyond the schema's would count as a value that is not there.
        if (Exceed(definitions, leaf.Definition) || Exceed(repetitions, leaf.Repeated))
            throw new InvalidDataException($"column '{string.Join('.', leaf.Path)}' has levels that its schema does not have");
        return new ParquetColumn(values, definitions, repetitions);

        async Task<object[]> Values<T>(Func<T, object> convert)
            where T : struct
        {
            var read = new T[count];
            await rows.ReadRawAsync<T>(field, read, Levels(definitions), Levels(repetitions), _cancellation);
            int there = definitions is null ? count : definitions.Count(level => level == leaf.Definition);
            object[] converted = new object[there];
            for (int index = 0; index < there; index++) converted[index] = convert(read[index]);
            return converted;
        }

        // What is of no use here: that it is there is all that is told of it.
        async Task<object[]> Others()
        {
            using var raw = await rows.ReadRawColumnDataBaseAsync(field, _cancellation);
            if (definitions is not null) raw.DefinitionLevels.CopyTo(definitions);
            if (repetitions is not null) raw.RepetitionLevels.CopyTo(repetitions);
            int there = definitions is null ? count : definitions.Count(level => level == leaf.Definition);
            return [.. Enumerable.Repeat<object>(0L, there)];
        }
    }

    private static bool Exceed(int[]? levels, int most) => levels?.Any(level => level < 0 || level > most) == true;

    private static Memory<int>? Levels(int[]? levels) => levels is null ? (Memory<int>?)null : levels.AsMemory();

    private object Text(ReadOnlySpan<byte> bytes, ParquetNode leaf)
    {
        if (System.Text.Unicode.Utf8.IsValid(bytes)) return Encoding.UTF8.GetString(bytes);
        return leaf.Meaning != ParquetMeaning.Text
            ? (long)bytes.Length
            : throw new WiscaException(
                $"{_name}: column '{string.Join('.', leaf.Path)}' holds a text that is not valid UTF-8",
                "write the file anew from text in UTF-8");
    }

    /// <summary>
    /// Waits for work on the file. The package throws whatever it stumbles over; all of it means that the file is damaged or uses what the
    /// package lacks.
    /// </summary>
    private T Attempt<T>(Func<Task<T>> read)
    {
        try
        {
            return Task.Run(read, _cancellation).WaitAsync(_cancellation).GetAwaiter().GetResult();
        }
        catch (Exception exception) when (exception is not (OperationCanceledException or WiscaException))
        {
            string reason = exception switch
            {
                OutOfMemoryException => "it is damaged, or needs more memory than there is",
                InvalidDataException or IOException or NotSupportedException or ParquetException => exception.Message,

                // What Parquet.Net throws of LZO, and of physical types that it has no code for.
                NotImplementedException => "it uses what is not supported",
                _ => "it is damaged",
            };
            throw new WiscaException($"{_name} cannot be read as Parquet: {reason}", Hint, exception);
        }
    }

    /// <summary>A stream that never gives nothing: who reads on behind its end would do so for ever.</summary>
    private sealed class SoundStream(Stream inner) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => true;

        public override bool CanWrite => false;

        public override long Length => inner.Length;

        public override long Position
        {
            get => inner.Position;
            set => inner.Position = value;
        }

        public override int Read(Span<byte> buffer)
        {
            int read = inner.Read(buffer);
            return read > 0 || buffer.Length == 0 ? read : throw new EndOfStreamException("it ends too early");
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return ValueTask.FromResult(Read(buffer.Span));
        }

        public override long Seek(long offset, SeekOrigin origin) => inner.Seek(offset, origin);

        public override void Flush()
        {
        }

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
