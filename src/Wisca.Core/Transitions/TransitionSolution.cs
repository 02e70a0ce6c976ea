using System.Collections.Immutable;

namespace Wisca.Transitions;

/// <summary>The factors of a plan, after measuring.</summary>
/// <param name="Plan">The plan.</param>
/// <param name="Balances">For each exchange of the plan, the balance of each group.</param>
public sealed record TransitionSolution(TransitionPlan Plan, ImmutableArray<ImmutableArray<GroupBalance>> Balances)
{
    /// <summary>Every group with its exchange.</summary>
    public IEnumerable<(Exchange Exchange, int Group, GroupBalance Balance)> Groups =>
        from index in Enumerable.Range(0, Balances.Length)
        from @group in Enumerable.Range(0, Balances[index].Length)
        select (Plan.Exchanges[index], @group, Balances[index][@group]);

    /// <summary>The factors as each tensor sees them, by its name: along its axis, one for each index.
    /// Tensors that nothing scales are left out.</summary>
    /// <param name="lengthOf">The length of a tensor's axis.</param>
    public Dictionary<string, AxisFactors> Factors(Func<string, int, int> lengthOf)
    {
        ArgumentNullException.ThrowIfNull(lengthOf);
        var factors = new Dictionary<string, AxisFactors>(StringComparer.Ordinal);
        for (int index = 0; index < Balances.Length; index++)
        {
            var exchange = Plan.Exchanges[index];
            foreach (var slice in exchange.Slices)
            {
                if (!factors.TryGetValue(slice.Tensor, out var entry))
                {
                    double[] ones = new double[lengthOf(slice.Tensor, slice.Axis)];
                    Array.Fill(ones, 1);
                    factors.Add(slice.Tensor, entry = new AxisFactors(slice.Axis, ones));
                }

                if (entry.Axis != slice.Axis) throw new InvalidOperationException($"{slice.Tensor} takes part along both axes");
                foreach (var run in slice.Runs)
                {
                    for (int i = 0; i < run.Count; i++)
                    {
                        double factor = Balances[index][exchange.GroupOfChannel[run.Channel + i]].Factor;
                        entry.Factors[run.Start + i] *= slice.Exponent > 0 ? factor : 1 / factor;
                    }
                }
            }
        }

        return factors.Where(entry => Array.Exists(entry.Value.Factors, factor => factor != 1)).ToDictionary(StringComparer.Ordinal);
    }
}
