using Wisca.Data.Corpora.Reading.Columns;

namespace Wisca.Data.Corpora.Reading;

/// <summary>The documents of a string column of a Parquet file.</summary>
internal static class ParquetDocuments
{
    public static IEnumerable<(string Text, long Position)> Read(CorpusFile file, string column, CancellationToken cancellation)
    {
        using var parquet = ParquetFile.Open(file.Path, file.FullPath, cancellation);
        var leaf = FindColumn(file, parquet.Leaves, column);
        long rows = 0;
        for (int group = 0; group < parquet.Groups.Count; group++)
        {
            var (values, definitions, _) = parquet.Read(group, leaf);
            int next = 0;
            for (int row = 0; row < parquet.Groups[group].Rows; row++)
            {
                rows++;
                if (definitions is not null && definitions[row] < leaf.Definition)
                    throw new WiscaException(
                        $"{file.Path}: row {rows} of column '{column}' is null",
                        "every row needs a text; drop the row");
                string text = values[next++] as string
                    ?? throw new WiscaException(
                        $"{file.Path}: row {rows} of column '{column}' is not valid UTF-8",
                        "write the file anew from text in UTF-8");
                yield return (text, file.Length / parquet.Groups.Count * group);
            }
        }
    }

    private static ParquetNode FindColumn(CorpusFile file, IReadOnlyList<ParquetNode> leaves, string column)
    {
        var leaf = leaves.FirstOrDefault(leaf => NameOf(leaf) == column);
        if (leaf is null)
            throw new WiscaException(
                $"{file.Path} has no column '{column}': it has {string.Join(", ", leaves.Select(NameOf))}",
                "name the column that holds the text (--field)");
        if (leaf.Repeated > 0 || leaf.Type != ParquetType.ByteArray)
            throw new WiscaException(
                $"{file.Path}: column '{column}' does not hold strings",
                "name the column that holds the text (--field)");
        return leaf;
    }

    private static string NameOf(ParquetNode leaf) => string.Join('/', leaf.Path);
}
