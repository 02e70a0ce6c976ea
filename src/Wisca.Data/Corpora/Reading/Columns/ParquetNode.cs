namespace Wisca.Data.Corpora.Reading.Columns;

/// <summary>A field of a Parquet file's schema.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Repetition">How often it may come.</param>
/// <param name="Type">The physical type of a leaf; null for a group.</param>
/// <param name="Meaning">What it stands for.</param>
/// <param name="Definition">The definition level from which on it is there.</param>
/// <param name="Repeated">Its repetition level: how many fields on the way to it, itself among them, may come several times.</param>
/// <param name="Children">What is below it.</param>
internal sealed record ParquetNode(
    string Name, ParquetRepetition Repetition, ParquetType? Type, ParquetMeaning Meaning, int Definition, int Repeated,
    List<ParquetNode> Children)
{
    /// <summary>The names on the way to a leaf, as the file says them of a column.</summary>
    public required IReadOnlyList<string> Path { get; init; }

    /// <summary>The number of a leaf among the leaves; that of a group's first one.</summary>
    public required int Leaf { get; init; }

    /// <summary>True where a list is around it.</summary>
    public required bool IsBelowList { get; init; }

    /// <summary>The leaves below it, or itself.</summary>
    public IEnumerable<ParquetNode> Leaves => Type is null ? Children.SelectMany(child => child.Leaves) : [this];
}
