using Parquet;
using Parquet.Schema;
using Wisca.Files;

namespace Wisca.Data.Corpora.Reading;

/// <summary>The documents of a string column of a Parquet file.</summary>
internal static class ParquetDocuments
{
    public static IEnumerable<(string Text, long Position)> Read(CorpusFile file, string column)
    {
        using var stream = OpenFile(file);
        var reader = Attempt(file, () => ParquetReader.CreateAsync(stream).GetAwaiter().GetResult());
        var field = FindColumn(file, reader.Schema, column);
        long rows = 0;
        for (int group = 0; group < reader.RowGroupCount; group++)
        {
            string?[] texts = Attempt(file, () => ReadGroup(reader, group, field));
            foreach (string? text in texts)
            {
                rows++;
                yield return (
                    text
                        ?? throw new WiscaException(
                            $"{file.Path}: row {rows} of column '{column}' is null",
                            "every row needs a text; drop the row"),
                    file.Length / reader.RowGroupCount * group);
            }
        }
    }

    private static FileStream OpenFile(CorpusFile file)
    {
        try
        {
            var stored = new FileStream(file.FullPath, FileMode.Open, FileAccess.Read, FileShare.Read);
            return file.Compressed ? Unpack(stored) : stored;
        }
        catch (InvalidDataException exception)
        {
            throw new WiscaException($"{file.Path} cannot be unpacked: {exception.Message}", "get the file again", exception);
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException(
                $"{file.Path} {FileFailure.Reason(file.Path, exception)}", "check the path and its permissions", exception);
        }
    }

    /// <summary>Parquet is read from its end, which gzip cannot do:
    /// it is unpacked into a temporary file, which goes with the stream.</summary>
    private static FileStream Unpack(FileStream stored)
    {
        var unpacked = new FileStream(
            Path.GetTempFileName(), FileMode.Open, FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose);
        try
        {
            using (stored)
            using (var gzip = new GzipReadStream(stored)) gzip.CopyTo(unpacked);
            unpacked.Position = 0;
            return unpacked;
        }
        catch
        {
            unpacked.Dispose();
            throw;
        }
    }

    private static DataField FindColumn(CorpusFile file, ParquetSchema schema, string column)
    {
        var field = schema.DataFields.FirstOrDefault(field => field.Path.ToString() == column);
        if (field is null)
        {
            string names = string.Join(", ", schema.DataFields.Select(candidate => candidate.Path.ToString()));
            throw new WiscaException(
                $"{file.Path} has no column '{column}': it has {names}",
                "name the column that holds the text (--field)");
        }

        if (field.IsArray || (field.ClrType != typeof(string) && field.ClrType != typeof(ReadOnlyMemory<char>)))
            throw new WiscaException(
                $"{file.Path}: column '{column}' does not hold strings",
                "name the column that holds the text (--field)");
        return field;
    }

    private static string?[] ReadGroup(ParquetReader reader, int group, DataField field)
    {
        using var rows = reader.OpenRowGroupReader(group);
        string?[] texts = new string?[checked((int)rows.RowCount)];
        rows.ReadAsync(field, texts.AsMemory()).AsTask().GetAwaiter().GetResult();
        return texts;
    }

    /// <summary>The package throws whatever it stumbles over;
    /// all of it means that the file is damaged or uses what the package lacks.</summary>
    private static T Attempt<T>(CorpusFile file, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            throw new WiscaException(
                $"{file.Path} cannot be read as Parquet: {exception.Message}", "get the file again, or write it anew with another tool",
                exception);
        }
    }
}
