using System.Collections.Immutable;
using Wisca.Numerics;

namespace Wisca.Transitions;

/// <summary>
/// Solves all exchanges of a plan. Where two of them scale a tensor along different axes each one's norms depend on the other's factors:
/// then they are balanced in turn, sweep after sweep, until none moves. What they make small together is a sum of exponentials of the
/// factors' logarithms, which is convex, so that each closed form lowers it and the sweeps end in its minimum (a geometric program, as in
/// ENorm, arXiv 1902.10416). Powers of two end where no single one lowers it.
/// </summary>
internal sealed class JointBalancer
{
    private const int MostSweeps = 200;

    // Of log2 s: below it a sweep has moved nothing.
    private const double Still = 1e-6;

    private readonly TransitionPlan _plan;
    private readonly ITensorSource _source;
    private readonly SliceStatistics _statistics;
    private readonly Func<string, int, int> _lengthOf;
    private readonly GroupBalance[][] _balances;
    private readonly int[][] _components;
    private readonly double[] _before, _after;
    private readonly int[] _sweeps;

    /// <param name="plan">The exchanges.</param>
    /// <param name="source">Where the tensors are.</param>
    /// <param name="statistics">What has been measured of them.</param>
    /// <param name="lengthOf">The length of a tensor's axis.</param>
    public JointBalancer(TransitionPlan plan, ITensorSource source, SliceStatistics statistics, Func<string, int, int> lengthOf)
    {
        (_plan, _source, _statistics, _lengthOf) = (plan, source, statistics, lengthOf);
        _balances = new GroupBalance[plan.Exchanges.Length][];
        _components = Connected(plan.Exchanges);
        (_before, _after, _sweeps) = (new double[_components.Length], new double[_components.Length], new int[_components.Length]);
    }

    /// <summary>Number of parts of the plan that share no tensor; each is solved by a call of <see cref="Solve"/>, on any thread.</summary>
    public int Components => _components.Length;

    /// <summary>Solves a part of the plan.</summary>
    /// <param name="component">Which.</param>
    /// <param name="constrain">May change an exchange's balances before they count, given what its slices measure now.</param>
    public void Solve(int component, Action<Exchange, GroupBalance[], Func<ScaledAxis, AxisStatistics>>? constrain = null)
    {
        int[] members = _components[component];
        var options = _plan.Options.Balance;
        var product = new FactorProduct(_lengthOf);
        var criterion = options.Criterion;
        bool joint = criterion is Criterion.L1 or Criterion.L2 && IsCoupled(members);
        double[][] totals = [.. members.Select(index => Ones(_plan.Exchanges[index].Groups.Length))];
        (double[] Multiplied, double[] Divided)[] first =
        [
            .. members.Select(index => (
                Balancer.Norms(_plan.Exchanges[index], _source, _statistics.Of, criterion, +1),
                Balancer.Norms(_plan.Exchanges[index], _source, _statistics.Of, criterion, -1))),
        ];
        _before[component] = Objective(members, product);
        var last = new GroupBalance[members.Length][];
        bool moved = true;
        while (moved && _sweeps[component] < (joint ? MostSweeps : 1))
        {
            moved = false;
            for (int at = 0; at < members.Length; at++)
            {
                var exchange = _plan.Exchanges[members[at]];
                Func<ScaledAxis, AxisStatistics> measured =
                    joint ? slice => _statistics.Of(slice, product.Of(slice.Tensor)) : _statistics.Of;
                var solved = Balancer.Solve(exchange, _source, measured, options, totals[at]);
                constrain?.Invoke(exchange, solved, measured);
                product.Multiply(exchange, group => solved[group].Factor);
                for (int group = 0; group < solved.Length; group++)
                {
                    totals[at][group] *= solved[group].Factor;
                    moved |= Math.Abs(Math.Log2(solved[group].Factor)) > Still;
                }

                last[at] = solved;
            }

            _sweeps[component]++;
        }

        for (int at = 0; at < members.Length; at++)
        {
            _balances[members[at]] =
            [
                .. last[at].Select((balance, group) => balance with
                {
                    MultipliedNorm = first[at].Multiplied[group],
                    DividedNorm = first[at].Divided[group],
                    Factor = totals[at][group],
                    Outcome = totals[at][group] != 1 ? GroupOutcome.Scaled
                        : balance.Outcome == GroupOutcome.Scaled ? GroupOutcome.Unchanged
                        : balance.Outcome,
                }),
            ];
        }

        _after[component] = Objective(members, product);
    }

    /// <summary>The balances of an exchange.</summary>
    public GroupBalance[] Of(int exchange) => _balances[exchange];

    /// <summary>The whole solution.</summary>
    public TransitionSolution ToSolution() =>
        new(_plan, [.. _balances.Select(balances => (ImmutableArray<GroupBalance>)[.. balances])])
        {
            Objective = _plan.Options.Balance.Criterion is Criterion.L1 or Criterion.L2
                ? new BalanceObjective(_before.Sum(), _after.Sum(), _sweeps.DefaultIfEmpty().Max())
                : null,
        };

    private static double[] Ones(int length)
    {
        double[] ones = new double[length];
        Array.Fill(ones, 1);
        return ones;
    }

    /// <summary>Exchanges that share a tensor belong together.</summary>
    private static int[][] Connected(ImmutableArray<Exchange> exchanges)
    {
        int[] root = [.. Enumerable.Range(0, exchanges.Length)];
        var owner = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int index = 0; index < exchanges.Length; index++)
        {
            foreach (var slice in exchanges[index].Slices)
            {
                if (!owner.TryAdd(slice.Tensor, index)) root[Find(index)] = Find(owner[slice.Tensor]);
            }
        }

        return [.. Enumerable.Range(0, exchanges.Length).GroupBy(Find).Select(group => group.ToArray())];

        int Find(int index)
        {
            while (root[index] != index) index = root[index] = root[root[index]];
            return index;
        }
    }

    private bool IsCoupled(int[] members) =>
        members.SelectMany(index => _plan.Exchanges[index].Slices).GroupBy(slice => slice.Tensor)
            .Any(slices => slices.Select(slice => slice.Axis).Distinct().Count() > 1);

    private double Objective(int[] members, FactorProduct product)
    {
        var criterion = _plan.Options.Balance.Criterion;
        if (criterion is not (Criterion.L1 or Criterion.L2)) return 0;
        double sum = 0;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var exchange in members.Select(index => _plan.Exchanges[index]))
        {
            foreach (var slice in exchange.Slices.Where(slice => !slice.IsBias && seen.Add(slice.Tensor)))
            {
                var measured = _statistics.Of(slice, product.Of(slice.Tensor));
                sum += (slice.IsGain ? Balancer.FanIn(exchange, _statistics.Of) : 1)
                    * (criterion == Criterion.L1 ? measured.SumOfAbsolutes : measured.SumOfSquares).Sum();
            }
        }

        return sum;
    }
}
