using System.Text.Json.Serialization;

namespace Wisca.Comparison.Reports;

/// <summary>A model in a regime, with its arms.</summary>
public sealed record ComparedModel
{
    /// <summary>The regime's name.</summary>
    public required string Regime { get; init; }

    /// <summary>The model's name.</summary>
    public required string Name { get; init; }

    /// <summary>Number of parameters that train, in the baseline.</summary>
    public required long Parameters { get; init; }

    /// <summary>Number of training tokens of a run; the largest where batches differ in length.</summary>
    public required long Tokens { get; init; }

    /// <summary>True where at every seed all runs began alike: trainings with the same weights, by their digests, fine-tunings as the same
    /// function, by <see cref="InitialLossSpread"/>.</summary>
    public required bool SharedInitialWeights { get; init; }

    /// <summary>
    /// Of fine-tunings, whose arms may begin with other factors or another base: the largest difference of test losses before the first
    /// step among the runs of a seed, in nats; null for trainings.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? InitialLossSpread { get; init; }

    /// <summary>Number of arms that were compared with the baseline, each a chance to find something by accident.</summary>
    public required int Comparisons { get; init; }

    /// <summary>The arms, the baseline first.</summary>
    public required IReadOnlyList<ComparedArm> Arms { get; init; }
}
