using System.Text.Json.Serialization;

namespace Wisca.Library.Documents;

/// <summary>What a solve needs next, or what it has found.</summary>
/// <param name="Done">True where it has found its factors.</param>
/// <param name="Count">How many numbers are to be provided, or to be fetched.</param>
internal sealed record SolveState(bool Done, int Count)
{
    /// <summary>What is to be measured.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<MeasureEntry>? Measures { get; init; }

    /// <summary>The tensors that have factors.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<FactorsEntry>? Factors { get; init; }

    /// <summary>Every group of every exchange.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<GroupEntry>? Groups { get; init; }

    /// <summary>What became smaller; null where the criterion minimises nothing of all weights together.</summary>
    public ObjectiveEntry? Objective { get; init; }

    /// <summary>A measurement of one tensor.</summary>
    internal sealed record MeasureEntry(
        string Kind,
        string Tensor,
        int Axis,
        int Parts,
        bool AddsOne,
        double[]? Others,
        bool SecondMoments,
        int Length,
        int[]? GroupOfIndex,
        int Groups);

    /// <summary>How many factors a tensor has along its axes.</summary>
    internal sealed record FactorsEntry(string Tensor, int Rows, int Columns, bool AddsOne);

    /// <summary>What became of a group.</summary>
    internal sealed record GroupEntry(
        int Exchange, int Group, int Layer, string Kind, string Label, double MultipliedNorm, double DividedNorm, double Factor,
        string Outcome, string? Note);

    /// <summary>The sum that was balanced.</summary>
    internal sealed record ObjectiveEntry(double Before, double After, int Sweeps);
}
