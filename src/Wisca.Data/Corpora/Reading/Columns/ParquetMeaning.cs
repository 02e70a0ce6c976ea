namespace Wisca.Data.Corpora.Reading.Columns;

/// <summary>What a field stands for, as far as that matters here.</summary>
internal enum ParquetMeaning
{
    Other,
    Text,
    List,
    Map,
}
