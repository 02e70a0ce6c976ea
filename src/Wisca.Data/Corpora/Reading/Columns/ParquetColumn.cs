namespace Wisca.Data.Corpora.Reading.Columns;

/// <summary>The values of a column in a row group.</summary>
/// <param name="Values">Those that are there: text, numbers, truth values; raw bytes as the number of them.</param>
/// <param name="Definitions">The definition level of each, missing ones among them; null where none can be missing.</param>
/// <param name="Repetitions">The repetition level of each; null where the column does not repeat.</param>
internal sealed record ParquetColumn(object[] Values, int[]? Definitions, int[]? Repetitions);
