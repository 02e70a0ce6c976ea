using Wisca.Torch;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Flatness;

/// <summary>
/// Hutchinson's estimator (1990): for a vector v of independent signs the mean of v^T H v is the trace of H, and its variance is twice the
/// sum of the squares off the diagonal.
/// </summary>
public static class TraceEstimator
{
    /// <summary>The trace of the Hessian, and of the diagonal block of each tensor.</summary>
    /// <param name="objective">The loss, at the point where its parameters are.</param>
    /// <param name="options">How many probes. The relative error is that of the whole trace.</param>
    /// <param name="progress">Told of every product.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="WiscaException">A product is not finite.</exception>
    public static ModelTrace Whole(
        IObjective objective, TraceOptions options, IProgress<FlatnessProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(objective);
        ArgumentNullException.ThrowIfNull(options);
        var space = objective.Parameters;
        var blocks = space.Names.Select(_ => new List<double>()).ToList();
        var whole = Estimate(options, probe =>
        {
            progress?.Report(new FlatnessProgress("trace", probe, options.MaxProbes));
            using var ungraded = no_grad();
            using var scope = NewDisposeScope();
            var vector = ProbeVectors.Rademacher(space, options.Seed, ProbeVectors.Purpose.Trace, probe);
            var parts = space.Split(objective.HessianVectorProduct(vector, cancellation: cancellation).mul_(vector));
            foreach (var (samples, part) in blocks.Zip(parts)) samples.Add(part.sum(ScalarType.Float64).AsDouble());
            return blocks.Sum(samples => samples[^1]);
        });
        return new ModelTrace(
            whole,
            [
                .. space.Names.Select((name, index) =>
                    new TensorTrace(name, space.Tensors[index].numel(), TraceEstimate.From(blocks[index]))),
            ]);
    }

    /// <summary>
    /// The trace of one diagonal block. Probes are zero outside it, so what couples it to other blocks adds no noise; and the same seed
    /// gives the same signs at every point, so that traces along an orbit can be compared exactly.
    /// </summary>
    /// <param name="objective">The loss.</param>
    /// <param name="mask">1 inside the block and 0 outside, [dimension].</param>
    /// <param name="tensors">The tensors that the block reaches into; null for all.</param>
    /// <param name="options">How many probes.</param>
    /// <param name="report">Told before every product.</param>
    /// <param name="cancellation">Stops it.</param>
    internal static TraceEstimate Block(
        IObjective objective, Tensor mask, IReadOnlySet<string>? tensors, TraceOptions options, Action<int>? report,
        CancellationToken cancellation
    ) =>
        Estimate(options, probe =>
        {
            report?.Invoke(probe);
            using var ungraded = no_grad();
            using var scope = NewDisposeScope();
            var vector = ProbeVectors.Rademacher(objective.Parameters, options.Seed, ProbeVectors.Purpose.Trace, probe).mul_(mask);
            return objective.HessianVectorProduct(vector, tensors, cancellation).mul_(vector).sum(ScalarType.Float64).AsDouble();
        });

    /// <summary>Draws samples until their mean is as good as asked for.</summary>
    internal static TraceEstimate Estimate(TraceOptions options, Func<int, double> sample)
    {
        var samples = new List<double>();
        int least = Math.Min(Math.Max(2, options.MinProbes), options.MaxProbes);
        while (true)
        {
            samples.Add(sample(samples.Count));
            var estimate = TraceEstimate.From(samples);
            if (
                samples.Count >= options.MaxProbes
                || (samples.Count >= least && estimate.StandardError <= options.RelativeError * Math.Abs(estimate.Value)))
                return estimate;
        }
    }
}
