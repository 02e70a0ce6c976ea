using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using TorchSharp.Modules;
using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Safetensors;
using Wisca.Torch.Optimizers;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Torch.Transitions;

/// <summary>
/// Applies transitions to a model while it trains: measures, finds the factors, and scales weights, their copies and the optimizer's state
/// together. Call <see cref="Step()"/> after every optimizer step. Not for use from several threads.
/// </summary>
public sealed class WiscaScheduler
{
    private readonly LiveModel _model;
    private readonly WiscaOptions _options;
    private readonly IReadOnlyList<IParameterState> _states;
    private readonly Dictionary<(int Exchange, int Group), double> _product = [];

    /// <param name="parameters">The model's parameters by name.</param>
    /// <param name="plan">Which transitions; made from the same names.</param>
    /// <param name="options">When, and what becomes of the optimizer's state. Its transitions must be those of the plan.</param>
    /// <param name="states">
    /// What is kept beside the parameters: the optimizer, averages of weights. One that is an <see cref="ITransitionFollower"/> (an
    /// adapter) tells which parameters move when those of the plan do; they must be among the parameters.
    /// </param>
    /// <exception cref="WiscaException">
    /// A tensor of the plan is not contiguous or not among the parameters, or epsilon cannot be transported as asked.
    /// </exception>
    public WiscaScheduler(
        IEnumerable<(string Name, Parameter Parameter)> parameters,
        TransitionPlan plan,
        WiscaOptions options,
        params IReadOnlyList<IParameterState> states)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(states);
        _model = new LiveModel(parameters.Select(entry => (entry.Name, (Tensor)entry.Parameter)), states)
        {
            MeasuresSecondMoments = options.Transitions.Balance.Criterion == Criterion.Fisher,
        };
        (Plan, _options, _states) = (plan, options, states);
        foreach (string tensor in plan.Tensors)
        {
            if (!_model.TryFind(tensor, out var parameter))
                throw new WiscaException(
                    $"a transition needs parameter '{tensor}', which the model does not have",
                    "make the plan from the model's own names");
            if (!parameter.is_contiguous())
                throw new WiscaException(
                    $"parameter '{tensor}' is not contiguous: fused optimizers update such tensors wrongly without a word",
                    "make it contiguous before the optimizer is built");
        }

        if (options.TransportEpsilon) CheckEpsilon();
    }

    /// <summary>Which transitions are applied, and which are refused and why.</summary>
    public TransitionPlan Plan { get; }

    /// <summary>Number of transitions so far.</summary>
    public long Transitions { get; private set; }

    /// <summary>Number of optimizer steps that <see cref="Step()"/> has counted; set it where a run is resumed.</summary>
    public long CompletedSteps { get; set; }

    /// <summary>
    /// A scheduler for a model whose attention is named by hand, with one of TorchSharp's optimizers. The transition before the first step,
    /// if there is to be one, is applied here.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="optimizer">Its optimizer.</param>
    /// <param name="names">Where the attention is.</param>
    /// <param name="options">Which transitions, when, and what becomes of the optimizer's state.</param>
    /// <exception cref="WiscaException">The names do not fit the model, no transition applies,
    /// or the optimizer is of a kind that is not known.</exception>
    public static WiscaScheduler Attach(nn.Module model, optim.Optimizer optimizer, AttentionNames names, WiscaOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(names);
        options ??= new WiscaOptions();
        var parameters = Parameters(model);
        return Started(
            parameters,
            TransitionPlan.Create(
                new AttentionGeometry(names.KvHeads, names.HeadDim, names.RopePairs), NamedLayers.Find(parameters, names),
                options.Transitions),
            options,
            optimizer);
    }

    /// <summary>
    /// A scheduler for a model whose parameters carry Hugging Face names, with one of TorchSharp's optimizers. The transition before the
    /// first step, if there is to be one, is applied here.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="optimizer">Its optimizer.</param>
    /// <param name="config">Its <c>config.json</c>.</param>
    /// <param name="options">Which transitions, when, and what becomes of the optimizer's state.</param>
    /// <param name="table">An architecture table of one's own; null to find the built-in one by <c>model_type</c>.</param>
    /// <exception cref="WiscaException">The table does not fit the model, no transition applies,
    /// or the optimizer is of a kind that is not known.</exception>
    public static WiscaScheduler Attach(
        nn.Module model, optim.Optimizer optimizer, ModelConfig config, WiscaOptions? options = null, ArchitectureTable? table = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        options ??= new WiscaOptions();
        var parameters = Parameters(model);
        return Started(parameters, PlanFor(parameters, config, options.Transitions, table), options, optimizer);
    }

    /// <summary>The plan for parameters that carry Hugging Face names.</summary>
    /// <param name="parameters">The parameters.</param>
    /// <param name="config">The model's <c>config.json</c>.</param>
    /// <param name="options">Which transitions.</param>
    /// <param name="table">An architecture table of one's own; null to find the built-in one by <c>model_type</c>.</param>
    /// <exception cref="WiscaException">The table does not fit the parameters, or no transition applies.</exception>
    public static TransitionPlan PlanFor(
        IEnumerable<(string Name, Parameter Parameter)> parameters,
        ModelConfig config,
        TransitionOptions options,
        ArchitectureTable? table = null
    ) =>
        TransitionPlan.Create(
            ModelLayout.Resolve(config, new LiveModel(parameters.Select(entry => (entry.Name, (Tensor)entry.Parameter)), []).Infos, table),
            options);

    /// <summary>Counts an optimizer step, and applies a transition where one is due.</summary>
    /// <returns>What was done; null where none was due.</returns>
    public TransitionEvent? Step() => Step(++CompletedSteps);

    /// <summary>Applies a transition where one is due after so many optimizer steps.</summary>
    /// <param name="step">Number of optimizer steps taken; 0 before the first.</param>
    /// <param name="probe">The loss on a batch that stays the same, to verify that the function did; null to trust it.</param>
    /// <returns>What was done; null where none was due.</returns>
    /// <exception cref="WiscaException">Weights hold NaN or infinity,
    /// or the probe shows that the function changed; it is then taken back.</exception>
    public TransitionEvent? Step(long step, Func<double>? probe = null)
    {
        CompletedSteps = step;
        var trigger = _options.Trigger;
        bool due = trigger.IsDue(step);
        if (
            !due
            && !(
                trigger.Threshold is { } threshold
                && step > 0
                && trigger.IsAllowed(step)
                && Imbalances().Select(group => Math.Abs(group.Log2Ratio)).DefaultIfEmpty().Max() > threshold))
            return null;
        return Apply(step, probe);
    }

    /// <summary>Applies a transition now.</summary>
    /// <param name="step">Number of optimizer steps taken, for the record.</param>
    /// <param name="probe">The loss on a batch that stays the same, to verify that the function did; null to trust it.</param>
    /// <exception cref="WiscaException">Weights hold NaN or infinity,
    /// or the probe shows that the function changed; it is then taken back.</exception>
    public TransitionEvent Apply(long step, Func<double>? probe = null) => Apply(step, Solve, probe);

    /// <summary>Applies a solution, which may come from elsewhere than the weights.</summary>
    public TransitionEvent Apply(long step, Func<TransitionSolution> solve, Func<double>? probe = null)
    {
        double before = probe?.Invoke() ?? 0;
        var watch = Stopwatch.StartNew();
        var solution = solve();
        Scale(solution);
        watch.Stop();
        var done = new TransitionEvent(step, solution, watch.Elapsed);
        if (probe is not null)
        {
            double after = probe();
            done = done with { Loss = (before, after) };
            if (!(Math.Abs(after - before) <= Tolerance(solution) * Math.Abs(before)))
            {
                Scale(Inverse(solution));
                throw new WiscaException(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"the transition after step {step} changed the loss of a fixed batch "
                        + $"from {before:R} to {after:R}; it was taken back"),
                    "the architecture table does not describe this model, or something in the forward pass sees more than q.k and W_o v");
            }
        }

        Remember(solution);
        Transitions++;
        return done;
    }

    /// <summary>
    /// For each group that a transition balances, log2 of the ratio of its two norms
    /// (|W_q| / |W_k|, |W_v| / |W_o| for the norm of the criterion).
    /// </summary>
    /// <exception cref="WiscaException">Weights hold NaN or infinity.</exception>
    public IReadOnlyList<GroupImbalance> Imbalances()
    {
        return
        [
            .. Solve()
                .Groups.Where(entry => entry.Balance is { MultipliedNorm: > 0, DividedNorm: > 0 })
                .Select(entry => new GroupImbalance(
                    entry.Exchange.Layer, entry.Exchange.Kind, entry.Balance.Label,
                    Math.Log2(entry.Balance.MultipliedNorm / entry.Balance.DividedNorm))
                {
                    MultipliedNorm = entry.Balance.MultipliedNorm,
                    DividedNorm = entry.Balance.DividedNorm,
                }),
        ];
    }

    /// <summary>The product of all factors so far, for each group of each exchange of the plan;
    /// what a resumed run sets, and an undo divides by.</summary>
    public ImmutableArray<ImmutableArray<double>> Product
    {
        get =>
            [
                .. Plan.Exchanges.Select(
                    (exchange, index) =>
                        (ImmutableArray<double>)[.. exchange.Groups.Select((_, group) => _product.GetValueOrDefault((index, group), 1))]),
            ];
        set
        {
            if (
                value.Length != Plan.Exchanges.Length
                || value.Where((groups, index) => groups.Length != Plan.Exchanges[index].Groups.Length).Any())
                throw new ArgumentException("the factors are those of another plan", nameof(value));
            for (int index = 0; index < value.Length; index++)
            {
                for (int group = 0; group < value[index].Length; group++) _product[(index, group)] = value[index][group];
            }
        }
    }

    /// <summary>All transitions so far as one: <see cref="Product"/> as factors, with the norms as they are.</summary>
    /// <exception cref="WiscaException">Weights hold NaN or infinity.</exception>
    public TransitionSolution Total() =>
        new(
            Plan,
            [
                .. Solve().Balances.Zip(
                    Product,
                    (balances, factors) => (Balances: balances, Factors: factors)).Zip(
                    Plan.Exchanges,
                    (entry, exchange) => (ImmutableArray<GroupBalance>)
                        [.. entry.Balances.Zip(entry.Factors, (balance, factor) => Whole(balance, factor, exchange.Degree))]),
            ]);

    /// <summary>The length of an axis of a parameter.</summary>
    internal int LengthOf(string parameter, int axis) => _model.LengthOf(parameter, axis);

    private static WiscaScheduler Started(
        List<(string Name, Parameter Parameter)> parameters, TransitionPlan plan, WiscaOptions options, optim.Optimizer optimizer)
    {
        var scheduler = new WiscaScheduler(parameters, plan, options, new TorchSharpOptimizerState(optimizer, parameters));
        scheduler.Step(0);
        return scheduler;
    }

    private static List<(string Name, Parameter Parameter)> Parameters(nn.Module model) =>
        [.. model.named_parameters().Select(entry => (entry.name, entry.parameter))];

    private TransitionSolution Solve() =>
        Balancer.Solve(Plan, new MeasuredModel(_model, Plan), _options.Transitions.Balance, _model.LengthOf);

    private void Scale(TransitionSolution solution)
    {
        // What follows is worked out before anything moves: a DoRA magnitude needs the weights as they are.
        var moved = solution.Factors(_model.LengthOf);
        var following = _states.OfType<ITransitionFollower>().SelectMany(follower => follower.Follow(moved)).ToList();
        KeyValuePair<string, AxisFactors>[] all = [.. moved, .. following];
        _model.Scale(all, _options.State);
        foreach (var (tensor, factors) in _options.TransportEpsilon ? all : [])
        {
            foreach (var state in _states.OfType<IOptimizerState>().Where(state => state.HasEpsilon(tensor)))
                state.MultiplyEpsilon(tensor, 1 / factors.Uniform!.Value);
        }

        _model.Settle();
    }

    private void Remember(TransitionSolution solution)
    {
        for (int index = 0; index < solution.Balances.Length; index++)
        {
            for (int group = 0; group < solution.Balances[index].Length; group++)
                _product[(index, group)] = _product.GetValueOrDefault((index, group), 1) * solution.Balances[index][group].Factor;
        }
    }

    private static GroupBalance Whole(GroupBalance balance, double factor, int degree) =>
        new(
            balance.Label, balance.MultipliedNorm / factor, balance.DividedNorm * Math.Pow(factor, degree), factor,
            factor == 1 ? GroupOutcome.Unchanged : GroupOutcome.Scaled, null);

    private static TransitionSolution Inverse(TransitionSolution solution) => solution with
    {
        Balances =
        [
            .. solution.Balances.Select(groups =>
                (ImmutableArray<GroupBalance>)[.. groups.Select(group => group with { Factor = 1 / group.Factor })]),
        ],
    };

    /// <summary>How far the loss may move: not at all for powers of two, by the rounding of weights else.</summary>
    private double Tolerance(TransitionSolution solution) =>
        solution.Groups.All(group => double.IsPow2(group.Balance.Factor)) ? 0
        : Plan.Tensors.Max(tensor => _model.DtypeOf(tensor).Bits()) == 64 ? 1e-12
        : 1e-4;

    private void CheckEpsilon()
    {
        var solution = new TransitionSolution(
            Plan,
            [
                .. Plan.Exchanges.Select(exchange =>
                    (ImmutableArray<GroupBalance>)
                        [.. exchange.Groups.Select((label, group) => new GroupBalance(label, 1, 1, 2 + group, GroupOutcome.Scaled, null))]),
            ]);
        foreach (var (tensor, factors) in solution.Factors(_model.LengthOf))
        {
            if (factors.Uniform is null)
            {
                throw new WiscaException(
                    $"epsilon cannot follow parameter '{tensor}', whose parts get different factors: "
                    + "an optimizer has one epsilon for a parameter",
                    "transport epsilon at granularity tensor, on projections that are stored apart; or leave epsilon as it is");
            }
        }
    }
}
