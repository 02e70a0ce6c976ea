namespace Wisca.Data.Corpora.Reading.Columns;

/// <summary>Where the values of a column in a row group are.</summary>
/// <param name="Offset">The first byte in the file.</param>
/// <param name="Values">Number of values, missing ones among them.</param>
/// <param name="Codec">How pages are compressed, by Parquet's numbers; 0 where they are not.</param>
internal sealed record ParquetChunk(long Offset, long Values, int Codec);
