using Wisca.Evaluation.Flatness;

namespace Wisca.Cli.Verbs;

/// <summary>What <c>wisca flatness</c> measures, and on what.</summary>
internal sealed record FlatnessArguments
{
    /// <summary>The model's folder.</summary>
    public required string Model { get; init; }

    /// <summary>Another checkpoint, on the line to which the loss is measured; null for none.</summary>
    public string? Between { get; init; }

    /// <summary>The text that the loss is of.</summary>
    public required string Text { get; init; }

    /// <summary>Number of tokens of it.</summary>
    public required int Tokens { get; init; }

    /// <summary>Tokens of a window; null for 128, or the model's positions where they are fewer.</summary>
    public int? SequenceLength { get; init; }

    /// <summary>What is measured, and how.</summary>
    public required FlatnessOptions Options { get; init; }

    /// <summary>An architecture table of the user's own, or null.</summary>
    public string? Architecture { get; init; }

    /// <summary>Number of threads.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;
}
