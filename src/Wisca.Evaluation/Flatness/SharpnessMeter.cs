using Wisca.Torch;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Flatness;

/// <summary>
/// The highest loss within a ball around the parameters, less the loss in its middle. Plain: |e|_2 at most the radius (SAM: Foret et al.,
/// ICLR 2021). Adaptive: |e / w|_2 elementwise (ASAM: Kwon et al., ICML 2021, without their constant added to |w|, which would break the
/// invariance; a weight of zero stays zero).
/// </summary>
public static class SharpnessMeter
{
    /// <summary>
    /// Looks for the highest loss. Each step takes the point of the ball that is highest to first order by the gradient at the last point,
    /// e = r T^2 g / |T g| with T = 1 or |w|: one step is SAM's, further ones follow the curvature as power iterations do.
    /// </summary>
    /// <param name="objective">The loss; its parameters are put back bit for bit.</param>
    /// <param name="options">Radius, kind and steps.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="WiscaException">A gradient is not finite.</exception>
    public static SharpnessEstimate Measure(IObjective objective, SharpnessOptions options, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(objective);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.Radius);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Steps, 1);
        return objective.Parameters.Around(origin =>
        {
            using var ungraded = no_grad();
            using var scope = NewDisposeScope();
            var size = options.Adaptive ? origin.abs() : ones_like(origin);
            double middle = objective.Loss(cancellation), highest = middle;
            for (int step = 0; step < options.Steps; step++)
            {
                using var inner = NewDisposeScope();
                var scaled = objective.Gradient(cancellation).mul_(size);
                double length = Norm(scaled);
                if (length == 0)
                {
                    scaled = ProbeVectors.Rademacher(objective.Parameters, options.Seed, ProbeVectors.Purpose.Ascent, step);
                    length = Norm(scaled);
                }

                objective.Parameters.Set(origin.Plus((scaled * size).Times(options.Radius / length)));
                highest = Math.Max(highest, objective.Loss(cancellation));
            }

            return new SharpnessEstimate(options.Adaptive, options.Radius, options.Steps, middle, highest);
        });
    }

    private static double Norm(Tensor vector) => vector.to(ScalarType.Float64).norm().AsDouble();
}
