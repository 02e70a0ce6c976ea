namespace Wisca.Comparison;

/// <summary>A model in a regime, with its arms.</summary>
public sealed record ComparedModel
{
    /// <summary>The regime's name.</summary>
    public required string Regime { get; init; }

    /// <summary>The model's name.</summary>
    public required string Name { get; init; }

    /// <summary>Number of parameters.</summary>
    public required long Parameters { get; init; }

    /// <summary>Number of training tokens of a run.</summary>
    public required long Tokens { get; init; }

    /// <summary>True where at every seed all runs began with the same weights, by their digests.</summary>
    public required bool SharedInitialWeights { get; init; }

    /// <summary>Number of arms that were compared with the baseline, each a chance to find something by accident.</summary>
    public required int Comparisons { get; init; }

    /// <summary>The arms, the baseline first.</summary>
    public required IReadOnlyList<ComparedArm> Arms { get; init; }
}
