using TorchSharp;
using Wisca.Numerics;
using Wisca.Torch;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Flatness;

/// <summary>
/// The Lanczos method (1950) with full reorthogonalisation, twice at every step: T = Q^T H Q is tridiagonal, and its extreme eigenvalues
/// are those of H long before Q is complete. Of an eigenvalue that occurs several times it sees one copy, unless rounding brings out more.
/// </summary>
public static class Lanczos
{
    /// <summary>The largest eigenvalues of the Hessian, by value and not by magnitude.
    /// Holds <see cref="LanczosOptions.MaxSteps"/> + 3 vectors at most.</summary>
    /// <param name="objective">The loss, at the point where its parameters are.</param>
    /// <param name="options">How many, and how well.</param>
    /// <param name="progress">Told of every product.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="WiscaException">A product is not finite, or the vectors do not fit into memory.</exception>
    public static SpectrumEstimate Largest(
        IObjective objective, LanczosOptions options, IProgress<FlatnessProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(objective);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Eigenvalues, 1);
        var space = objective.Parameters;
        int most = (int)Math.Min(Math.Max(options.MaxSteps, options.Eigenvalues), space.Dimension),
            wanted = Math.Min(options.Eigenvalues, most);
        double bytes = (most + 3.0) * space.Dimension * space.Dtype.ElementSize(),
            available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (bytes > available)
        {
            throw new WiscaException(
                FormattableString.Invariant(
                    $"{most} steps of Lanczos hold {bytes / 1e9:0.0} GB of vectors, and this machine has {available / 1e9:0.0} GB"),
                "ask for fewer steps (--lanczos-steps)");
        }

        using var ungraded = no_grad();
        using var scope = NewDisposeScope();
        var basis = empty([most, space.Dimension], space.Dtype, space.Device);
        double precision = space.Dtype == ScalarType.Float64 ? 1e-13 : 1e-5, scale = 0;
        double[] diagonal = new double[most], off = new double[most];
        Start(0);
        for (int step = 0; ; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            progress?.Report(new FlatnessProgress("eigenvalues", step, most));
            var vector = basis[step];
            var next = objective.HessianVectorProduct(vector, cancellation: cancellation);
            diagonal[step] = next.dot(vector).AsDouble();
            Orthogonalize(next, step + 1);
            double length = next.norm().AsDouble();
            scale = Math.Max(scale, Math.Max(Math.Abs(diagonal[step]), length));

            // Nothing left: what was spanned is mapped into itself.
            // The method goes on in what is orthogonal to it, if anything is still wanted.
            bool closed = length <= precision * scale;
            off[step] = closed ? 0 : length;
            int steps = step + 1;
            if (steps >= wanted && Ritz(steps) is var estimate && (estimate.Converged || steps == most)) return estimate;
            if (closed) Start(steps);
            else basis[steps].copy_(next.Over(length));
        }

        void Start(int step)
        {
            using var inner = NewDisposeScope();
            var vector = ProbeVectors.Normal(space, options.Seed, ProbeVectors.Purpose.Lanczos, step);
            Orthogonalize(vector, step);
            basis[step].copy_(vector / vector.norm());
        }

        void Orthogonalize(Tensor vector, int against)
        {
            if (against == 0) return;
            var earlier = basis.narrow(0, 0, against);
            for (int pass = 0; pass < 2; pass++) vector.sub_(earlier.t().mv(earlier.mv(vector)));
        }

        SpectrumEstimate Ritz(int steps)
        {
            double[,] projected = new double[steps, steps];
            for (int i = 0; i < steps; i++)
            {
                projected[i, i] = diagonal[i];
                if (i + 1 < steps) projected[i, i + 1] = projected[i + 1, i] = off[i];
            }

            var (values, vectors) = SymmetricEigen.Of(projected);
            EigenvalueEstimate Estimate(int i) => new(values[i], off[steps - 1] * Math.Abs(vectors[steps - 1, i]));
            double allowed = options.Tolerance * Math.Max(Math.Abs(values[0]), Math.Abs(values[^1]));
            EigenvalueEstimate[] largest = [.. Enumerable.Range(1, wanted).Select(rank => Estimate(steps - rank))];
            return new SpectrumEstimate([.. largest], Estimate(0), steps, Array.TrueForAll(largest, entry => entry.Residual <= allowed));
        }
    }
}
