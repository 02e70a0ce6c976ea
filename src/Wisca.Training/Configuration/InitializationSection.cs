using Wisca.Settings;

namespace Wisca.Training.Configuration;

/// <summary>How the weights of a new model are drawn.</summary>
public sealed record InitializationSection
{
    /// <summary>Standard deviation of the normal distribution; none for the one in the model's config.</summary>
    [Setting("Standard deviation of the normal distribution; none for the one in the model's config.", Minimum = 0, Above = true)]
    public double? StandardDeviation { get; init; }

    /// <summary>
    /// Whether projections into the residual stream are drawn smaller by sqrt(2 x layers); none for what the model's family does.
    /// </summary>
    [Setting("Whether projections into the residual stream are drawn smaller by sqrt(2 x layers); none for what the model's family does.")]
    public bool? ResidualScaling { get; init; }
}
