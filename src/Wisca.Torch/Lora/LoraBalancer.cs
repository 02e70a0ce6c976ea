using System.Collections.Immutable;
using System.Diagnostics;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Torch.Lora;

/// <summary>
/// Balances the factors of an adapter while it trains, its optimizer's state with them: the product B A does not change. Modules whose B is
/// still zero are left alone.
/// </summary>
public sealed class LoraBalancer
{
    private readonly LoraModel _lora;
    private readonly LoraBalancerOptions _options;
    private readonly LiveModel _model;
    private readonly WiscaScheduler? _scheduler;

    /// <param name="lora">The adapter.</param>
    /// <param name="options">How and when.</param>
    /// <param name="states">What is kept beside its parameters: the optimizer, averages of weights.</param>
    /// <exception cref="WiscaException">A matrix cannot be rounded to powers of two, or has no threshold.</exception>
    public LoraBalancer(LoraModel lora, LoraBalancerOptions options, params IReadOnlyList<IParameterState> states)
    {
        ArgumentNullException.ThrowIfNull(lora);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(states);
        (_lora, _options) = (lora, options);
        IReadOnlyList<IParameterState> all = [.. states.Where(state => state != lora), lora];
        _model = new LiveModel(lora.AllParameters.Select(entry => (entry.Name, (Tensor)entry.Parameter)), all);
        if (options.Granularity != FactorGranularity.General)
        {
            var wisca = new WiscaOptions
            {
                Transitions = new TransitionOptions { Balance = options.Balance },
                Trigger = options.Trigger,
                State = options.State,
            };
            _scheduler = new WiscaScheduler(
                lora.AllParameters, lora.BalancePlan(options.Granularity == FactorGranularity.Rank, options.Balance), wisca, all);
        }
        else if (options.Balance.Rounding == FactorRounding.PowerOfTwo)
            throw new WiscaException(
                "a matrix between the factors has no powers of two",
                "balance per tensor or per rank for bits that stay");
        else if (options.Trigger.Threshold is not null)
            throw new WiscaException("balancing by a matrix has no threshold of a ratio", "give an interval");
    }

    /// <summary>Balances where it is due after so many optimizer steps.</summary>
    /// <param name="step">Number of optimizer steps taken; 0 before the first.</param>
    /// <returns>What was done; null where nothing was due.</returns>
    /// <exception cref="WiscaException">The factors hold NaN or infinity.</exception>
    public LoraBalanceEvent? Step(long step)
    {
        var watch = Stopwatch.StartNew();
        if (_scheduler is not null) return _scheduler.Step(step) is { } done ? Event(done) : null;
        return _options.Trigger.IsDue(step) ? Mix(step, watch) : null;
    }

    /// <summary>Balances now.</summary>
    /// <param name="step">Number of optimizer steps taken, for the record.</param>
    /// <exception cref="WiscaException">The factors hold NaN or infinity.</exception>
    public LoraBalanceEvent Apply(long step) => _scheduler is null ? Mix(step, Stopwatch.StartNew()) : Event(_scheduler.Apply(step));

    /// <summary>How far each module is from balance: |A A^T - B^T B| / (|A A^T| + |B^T B|), 0 in balance and at most 1.</summary>
    public IReadOnlyList<(string Module, double Imbalance)> Imbalances() =>
        [
            .. _lora.Modules.Select(name =>
                (name, GeneralBalance.Imbalance(_model.Gram($"{name}.lora_A.weight", 0), _model.Gram($"{name}.lora_B.weight", 1)))),
        ];

    private LoraBalanceEvent Mix(long step, Stopwatch watch)
    {
        int clipped = 0;
        var growth = ImmutableArray.CreateBuilder<double>();
        foreach (string name in _lora.Modules)
        {
            string a = $"{name}.lora_A.weight", b = $"{name}.lora_B.weight";
            double[,] before = _model.Gram(b, 1);
            if (GeneralBalance.Solve(_model.Gram(a, 0), before, _options.Balance.MaxLog2) is not { } balance) continue;
            _model.Mix(a, 0, balance.Transform, balance.Inverse, _options.State);
            _model.Mix(b, 1, balance.Inverse, balance.Transform, _options.State);
            growth.Add(GeneralBalance.Norm(_model.Gram(b, 1)) / GeneralBalance.Norm(before));
            if (balance.Clipped) clipped++;
        }

        return new LoraBalanceEvent(step, growth.ToImmutable(), _lora.Modules.Count() - growth.Count, clipped, watch.Elapsed);
    }

    private static LoraBalanceEvent Event(TransitionEvent done)
    {
        var balanced = done.Solution.Balances.Where(groups => groups.Any(group => group.Outcome != GroupOutcome.Skipped)).ToList();
        int clamped = balanced.Count(groups => groups.Any(group => group is { Outcome: GroupOutcome.Scaled, Note: not null }));
        return new LoraBalanceEvent(
            done.Step,
            [.. balanced.Select(groups => Math.Exp(groups.Average(group => Math.Log(group.Factor))))],
            done.Solution.Balances.Length - balanced.Count,
            clamped,
            done.Elapsed);
    }
}
