namespace Wisca.Data.Corpora.Reading.Columns;

/// <summary>How values are stored, by Parquet's numbers.</summary>
internal enum ParquetType
{
    Boolean,
    Int32,
    Int64,
    Int96,
    Float,
    Double,
    ByteArray,
    FixedLengthByteArray,
}
