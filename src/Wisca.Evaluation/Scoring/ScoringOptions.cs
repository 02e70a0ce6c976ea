namespace Wisca.Evaluation.Scoring;

/// <summary>How requests are put to a model. None of it changes results beyond rounding but <see cref="MaxLength"/> and
/// <see cref="AddSpecialTokens"/>.</summary>
public sealed record ScoringOptions
{
    /// <summary>Sequences that go through the model together; a context with several continuations is one. Default: 32.</summary>
    public int BatchSize { get; init; } = 32;

    /// <summary>At most so many tokens, padding included, go through the model together, or one sequence. Default: 8192.</summary>
    public int BatchTokens { get; init; } = 8192;

    /// <summary>At most so many tokens before a predicted one; null for the model's positions.</summary>
    public int? MaxLength { get; init; }

    /// <summary>See <see cref="RequestEncoder"/>.</summary>
    public bool? AddSpecialTokens { get; init; }
}
