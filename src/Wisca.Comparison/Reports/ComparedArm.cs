namespace Wisca.Comparison.Reports;

/// <summary>An arm of one model in one regime.</summary>
public sealed record ComparedArm
{
    /// <summary>The arm's name.</summary>
    public required string Name { get; init; }

    /// <summary>In which settings it differs from the baseline.</summary>
    public required IReadOnlyList<string> Settings { get; init; }

    /// <summary>Its finished runs.</summary>
    public required IReadOnlyList<RunSummary> Runs { get; init; }

    /// <summary>The learning rates that it ran at.</summary>
    public required IReadOnlyList<double> LearningRates { get; init; }

    /// <summary>The learning rate with the lowest loss on the validation text; null where all diverged, or nothing is finished.</summary>
    public double? BestLearningRate { get; init; }

    /// <summary>Mean loss on the test text at its best learning rate, in nats.</summary>
    public double? TestLoss { get; init; }

    /// <summary>exp of the mean loss: the geometric mean of perplexities.</summary>
    public double? Perplexity { get; init; }

    /// <summary>At its best learning rate, against the baseline at the baseline's best; null for the baseline.</summary>
    public ArmDifference? AtBest { get; init; }

    /// <summary>At each learning rate that both have.</summary>
    public required IReadOnlyList<ArmDifference> AtEqualRates { get; init; }

    /// <summary>Over the course of training, both at their best learning rates.</summary>
    public required IReadOnlyList<CurveDifference> EqualTokens { get; init; }

    /// <summary>Tokens that it needs for the baseline's loss, both at their best learning rates; null for the baseline.</summary>
    public TokensToEqualLoss? EqualLoss { get; init; }

    /// <summary>Evaluations of the trained models, both at their best learning rates; empty where there are none.</summary>
    public required IReadOnlyList<ScoreDifference> Scores { get; init; }
}
