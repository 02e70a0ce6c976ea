using Wisca.Settings;

namespace Wisca.Training.Configuration;

#pragma warning disable CS1591 // The settings carry their documentation where --print-config finds it too.

/// <summary>How the weights of a new model are drawn.</summary>
public sealed record InitializationSection
{
    [Setting("Standard deviation of the normal distribution; none for the one in the model's config.", Minimum = 0, Above = true)]
    public double? StandardDeviation { get; init; }

    [Setting("Whether projections into the residual stream are drawn smaller by sqrt(2 x layers); none for what the model's family does.")]
    public bool? ResidualScaling { get; init; }
}
