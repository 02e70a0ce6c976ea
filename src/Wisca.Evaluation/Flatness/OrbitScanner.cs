using System.Collections.Immutable;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Flatness;

/// <summary>
/// Walks along the orbit W_1 -> s W_1, W_2 -> W_2 / s of one group of an exchange, scaling the live model by the same machinery that
/// transitions use, and measures at each point. The model is put back bit for bit, whatever happens.
/// </summary>
public sealed class OrbitScanner
{
    private readonly IObjective _objective;
    private readonly Exchange _exchange;
    private readonly int _group;
    private readonly LiveModel _model;

    /// <param name="objective">The loss.</param>
    /// <param name="exchange">The exchange, of the objective's tensors.</param>
    /// <param name="group">Which of its groups moves.</param>
    /// <exception cref="ArgumentException">The exchange has no such group, or needs a tensor that the objective lacks.</exception>
    public OrbitScanner(IObjective objective, Exchange exchange, int group = 0)
    {
        ArgumentNullException.ThrowIfNull(objective);
        ArgumentNullException.ThrowIfNull(exchange);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)group, (uint)exchange.Groups.Length);
        var space = objective.Parameters;
        if (exchange.Slices.FirstOrDefault(slice => !space.Names.Contains(slice.Tensor)) is { } missing)
            throw new ArgumentException($"the objective has no parameter {missing.Tensor}", nameof(exchange));
        (_objective, _exchange, _group) = (objective, exchange, group);
        _model = new LiveModel(space.Names.Zip(space.Tensors), []);
    }

    /// <summary>Measures the orbit.</summary>
    /// <param name="options">The grid, and how much work is done at each of its points.</param>
    /// <param name="progress">Told of every point.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="WiscaException">Something is not finite.</exception>
    public OrbitReport Scan(OrbitOptions options, IProgress<FlatnessProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Range, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Probes, 2);
        using var scope = NewDisposeScope();
        var space = _objective.Parameters;
        ParameterBlock multiplied = ParameterBlock.Of(_exchange, _group, +1), divided = ParameterBlock.Of(_exchange, _group, -1);
        var inMultiplied = multiplied.Mask(space);
        var inDivided = divided.Mask(space);
        var inRest = ones_like(inMultiplied).sub_(inMultiplied).sub_(inDivided);
        var traces = new TraceOptions { MinProbes = options.Probes, MaxProbes = options.Probes, Seed = options.Seed };
        int points = (2 * options.Range) + 1, steps = points * 4, done = 0;

        var marks = Solve(cancellation);
        var here = Measure();
        var curvature = new PairCurvature(_exchange.Layer, _exchange.Kind, _exchange.Groups[_group], here.Multiplied, here.Divided);
        var walked = Enumerable.Range(-options.Range, points).Select(log2 =>
        {
            var (loss, one, two, rest, eigenvalue) = log2 == 0 ? here : At(log2, Measure);
            return new OrbitPoint(log2, loss, one.Value, two.Value, rest.Value, curvature.TraceAt(log2), eigenvalue);
        }).ToImmutableArray();
        return new OrbitReport(
            curvature,
            here.Others,
            walked,
            [.. marks.Select(mark => mark with { PredictedPair = mark.Log2 is { } log2 ? curvature.TraceAt(log2) : null })]);

        (double Loss, TraceEstimate Multiplied, TraceEstimate Divided, TraceEstimate Others, EigenvalueEstimate Eigenvalue) Measure()
        {
            double loss = _objective.Loss(cancellation);
            var one = Trace(inMultiplied, multiplied.Tensors);
            var two = Trace(inDivided, divided.Tensors);
            var rest = Trace(inRest, null);
            Report();
            return (
                loss, one, two, rest,
                Lanczos.Largest(_objective, options.Eigenvalue with { Eigenvalues = 1 }, null, cancellation).Largest[0]);
        }

        TraceEstimate Trace(Tensor mask, IReadOnlySet<string>? tensors)
        {
            Report();
            return TraceEstimator.Block(_objective, mask, tensors, traces, null, cancellation);
        }

        void Report() =>
            progress?.Report(
                new FlatnessProgress(
                    $"orbit {_exchange.Kind.Name()} of layer {_exchange.Layer}", done++, steps));
    }

    /// <summary>Does something where the group's factor is 2^log2, and goes back.</summary>
    internal T At<T>(double log2, Func<T> work) => _objective.Parameters.Around(_ =>
    {
        var balances = _exchange.Groups.Select(
            (label, group) => new GroupBalance(label, 1, 1, group == _group ? Math.Pow(2, log2) : 1, GroupOutcome.Scaled, null));
        var solution = new TransitionSolution(new TransitionPlan(new TransitionOptions(), [_exchange], []), [[.. balances]]);
        foreach (var (tensor, factors) in solution.Factors(_model.LengthOf)) _model.Scale(tensor, factors, StatePolicy.Keep);
        return work();
    });

    /// <summary>Where each criterion lands. Fisher's takes the squared gradients of single
    /// items in place of an optimizer's second moments.</summary>
    private List<OrbitMark> Solve(CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        string[] weights = [.. _exchange.Slices.Where(slice => !slice.IsBias).Select(slice => slice.Tensor).Distinct()];
        var space = _objective.Parameters;
        var moments = _objective is AutogradObjective objective
            ? new Moments(space, objective.SquaredGradients(weights.ToHashSet(), cancellation))
            : null;
        var measured = moments is null ? _model : new LiveModel(space.Names.Zip(space.Tensors), [moments]);
        var statistics = _exchange
            .Slices.Where(slice => !slice.IsBias)
            .DistinctBy(slice => slice.Tensor)
            .ToDictionary(
                slice => slice.Tensor, slice => measured.Measure(slice.Tensor, slice.Axis, slice.Parts, slice.AddsOne),
                StringComparer.Ordinal);
        return
        [
            .. Enum.GetValues<Criterion>().Where(criterion => criterion != Criterion.Fisher || moments is not null).Select(criterion =>
            {
                var options = new BalanceOptions(criterion, FactorRounding.None);
                var balance = Balancer.Solve(_exchange, measured, slice => statistics[slice.Tensor], options)[_group];
                return new OrbitMark(
                    criterion, balance.Outcome == GroupOutcome.Skipped ? null : Math.Log2(balance.Factor), null, balance.Note);
            }),
        ];
    }

    /// <summary>Squared gradients in the place where an optimizer would keep second moments.</summary>
    private sealed class Moments(ParameterSpace space, Tensor squares) : IParameterState
    {
        private readonly Tensor[] _parts = space.Split(squares);

        public IReadOnlyList<StateTensor> StateOf(string parameter) =>
            [new StateTensor("squared_gradients", _parts[space.Names.ToList().IndexOf(parameter)], -2)];
    }
}
