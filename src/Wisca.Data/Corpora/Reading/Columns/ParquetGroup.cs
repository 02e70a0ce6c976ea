namespace Wisca.Data.Corpora.Reading.Columns;

/// <summary>A row group.</summary>
/// <param name="Rows">Number of rows.</param>
/// <param name="Chunks">Its columns, in the order of the leaves.</param>
internal sealed record ParquetGroup(int Rows, IReadOnlyList<ParquetChunk> Chunks);
