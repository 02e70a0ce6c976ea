using System.Collections.Immutable;
using Wisca.Torch;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Flatness;

/// <summary>How far a step down the gradient turns the gradient: the WISCA paper's own picture of flatness.</summary>
/// <param name="Step">eta.</param>
/// <param name="Cosine">The cosine between the gradients at theta and at theta - eta g; null where one of them is zero.</param>
/// <param name="Loss">The loss at theta - eta g.</param>
public sealed record GradientTurn(double Step, double? Cosine, double Loss)
{
    /// <summary>Measures it for several steps.</summary>
    /// <param name="objective">The loss; its parameters are put back bit for bit.</param>
    /// <param name="steps">The values of eta.</param>
    /// <param name="progress">Told of every step.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="WiscaException">A gradient is not finite.</exception>
    public static ImmutableArray<GradientTurn> Measure(
        IObjective objective, IReadOnlyList<double> steps, IProgress<FlatnessProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(objective);
        ArgumentNullException.ThrowIfNull(steps);
        return objective.Parameters.Around(origin =>
        {
            using var ungraded = no_grad();
            using var scope = NewDisposeScope();
            var gradient = objective.Gradient(cancellation);
            return steps.Select((step, index) =>
            {
                progress?.Report(new FlatnessProgress("gradients", index, steps.Count));
                using var inner = NewDisposeScope();
                objective.Parameters.Set(origin - gradient.Times(step));
                double loss = objective.Loss(cancellation);
                return new GradientTurn(step, CosineOf(gradient, objective.Gradient(cancellation)), loss);
            }).ToImmutableArray();
        });
    }

    private static double? CosineOf(Tensor a, Tensor b)
    {
        var (x, y) = (a.to(ScalarType.Float64), b.to(ScalarType.Float64));
        double lengths = (x.norm() * y.norm()).AsDouble();
        return lengths > 0 ? Math.Clamp(x.dot(y).AsDouble() / lengths, -1, 1) : null;
    }
}
