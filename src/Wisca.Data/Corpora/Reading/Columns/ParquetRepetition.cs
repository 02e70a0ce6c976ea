namespace Wisca.Data.Corpora.Reading.Columns;

/// <summary>How often a field may come, by Parquet's numbers.</summary>
internal enum ParquetRepetition
{
    Required,
    Optional,
    Repeated,
}
