using System.Collections.Immutable;
using Wisca.Torch;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Flatness;

/// <summary>The loss along lines and planes through the parameters, which are put back bit for bit.</summary>
public static class LossSurface
{
    /// <summary>
    /// Along filter-normalised random directions (Li et al., NeurIPS 2018): every filter of the direction, the weights of one output, is as
    /// long as the filter itself. Biases and gains do not move.
    /// </summary>
    /// <param name="objective">The loss.</param>
    /// <param name="filterAxis">For a matrix's name the axis that numbers its filters.</param>
    /// <param name="dimensions">1 or 2.</param>
    /// <param name="points">Number of points along a direction, odd so that the middle is one.</param>
    /// <param name="range">The farthest point along a direction, in both senses.</param>
    /// <param name="seed">The seed of the directions.</param>
    /// <param name="progress">Told of every point.</param>
    /// <param name="cancellation">Stops it.</param>
    public static LossCurve Slice(
        IObjective objective, Func<string, int> filterAxis, int dimensions, int points, double range, ulong seed,
        IProgress<FlatnessProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(objective);
        ArgumentNullException.ThrowIfNull(filterAxis);
        if (dimensions is not (1 or 2)) throw new ArgumentOutOfRangeException(nameof(dimensions), dimensions, "expected 1 or 2");
        ArgumentOutOfRangeException.ThrowIfLessThan(points, 2);
        using var scope = NewDisposeScope();
        Tensor[] directions =
        [
            .. Enumerable.Range(0, dimensions).Select(index => Direction(objective.Parameters, filterAxis, seed, index)),
        ];
        double[] grid = Grid(-range, range, points);
        var places = dimensions == 1 ? grid.Select(x => (x, (double?)null)) : grid.SelectMany(y => grid, (y, x) => (x, (double?)y));
        return new LossCurve(
            dimensions == 1 ? LossCurveKind.Line : LossCurveKind.Plane,
            Losses(objective, directions, [.. places], "slice", progress, cancellation));
    }

    /// <summary>On the line through two points of the same space, from a half before the first to a half behind the second.</summary>
    /// <param name="objective">The loss, at the first point.</param>
    /// <param name="other">The second point, [dimension].</param>
    /// <param name="points">Number of points.</param>
    /// <param name="progress">Told of every point.</param>
    /// <param name="cancellation">Stops it.</param>
    public static LossCurve Between(
        IObjective objective, Tensor other, int points, IProgress<FlatnessProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(objective);
        ArgumentNullException.ThrowIfNull(other);
        ArgumentOutOfRangeException.ThrowIfLessThan(points, 2);
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var direction = other - objective.Parameters.Values();
        var grid = Grid(-0.5, 1.5, points).Select(x => (x, (double?)null));
        return new LossCurve(
            LossCurveKind.Between, Losses(objective, [direction], [.. grid], "between", progress, cancellation));
    }

    private static ImmutableArray<LossPoint> Losses(
        IObjective objective,
        Tensor[] directions,
        (double X, double? Y)[] places,
        string stage,
        IProgress<FlatnessProgress>? progress,
        CancellationToken cancellation
    ) =>
        objective.Parameters.Around(origin =>
        {
            using var ungraded = no_grad();
            return places.Select((place, index) =>
            {
                progress?.Report(new FlatnessProgress(stage, index, places.Length));
                using var scope = NewDisposeScope();
                var point = origin.Plus(directions[0].Times(place.X));
                if (place.Y is { } y) point.Plus_(directions[1].Times(y));
                objective.Parameters.Set(point);
                return new LossPoint(place.X, place.Y, objective.Loss(cancellation));
            }).ToImmutableArray();
        });

    private static Tensor Direction(ParameterSpace space, Func<string, int> filterAxis, ulong seed, int index)
    {
        using var ungraded = no_grad();
        using var scope = NewDisposeScope();
        var direction = ProbeVectors.Normal(space, seed, ProbeVectors.Purpose.Slice, index);
        foreach (var (part, (name, weight)) in space.Split(direction).Zip(space.Names.Zip(space.Tensors)))
        {
            if (weight.dim() < 2)
            {
                part.zero_();
                continue;
            }

            int numbering = filterAxis(name);
            long[] alongFilters = [.. Enumerable.Range(0, (int)weight.dim()).Select(axis => axis == numbering ? -1L : 1L)];
            part.mul_((Lengths(weight, numbering) / Lengths(part, numbering)).view(alongFilters));
        }

        return direction.MoveToOuterDisposeScope();
    }

    private static Tensor Lengths(Tensor filters, int axis) => linalg.norm(filters.movedim([axis], [0]).flatten(1), 2, [1], false);

    private static double[] Grid(double from, double to, int points) =>
        [.. Enumerable.Range(0, points).Select(i => ((from * (points - 1 - i)) + (to * i)) / (points - 1))];
}
