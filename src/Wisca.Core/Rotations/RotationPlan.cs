using System.Collections.Immutable;
using Wisca.Architectures;

namespace Wisca.Rotations;

/// <summary>Which spaces of a model may be rotated, decided from names and shapes alone.</summary>
/// <param name="Spaces">The spaces.</param>
/// <param name="Refusals">What is not exact and so is left out.</param>
public sealed record RotationPlan(ImmutableArray<RotatedSpace> Spaces, ImmutableArray<RotationRefusal> Refusals)
{
    /// <summary>Decides what may be rotated. Whether gains that must be uniform are, only the weights tell.</summary>
    /// <param name="layout">The model.</param>
    public static RotationPlan Create(ModelLayout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        return new RotationPlanner(layout).Plan();
    }

    /// <summary>
    /// What may be rotated in a model in training. Gains of norms that write into the stream must be uniform, and training does not keep
    /// them so: then the stream is refused.
    /// </summary>
    /// <param name="layout">The model.</param>
    /// <param name="modelType">Its <c>model_type</c>, for the reason.</param>
    public static RotationPlan ForTraining(ModelLayout layout, string modelType)
    {
        var plan = Create(layout);
        if (layout.Map.Norms.All(norm => norm.Writes != ModelMap.Stream)) return plan;
        return plan with
        {
            Spaces = [.. plan.Spaces.Where(space => space.Kind != RotationKind.Stream)],
            Refusals =
            [
                .. plan.Refusals,
                new RotationRefusal(
                    RotationKind.Stream, [],
                    $"in {modelType} norms write into the residual stream, and their gains act in the stream's own basis"),
            ],
        };
    }
}
