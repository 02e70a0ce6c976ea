using System.Collections.Immutable;
using Wisca.Transitions;

namespace Wisca.Rescaling;

/// <summary>The factors of a plan, after measuring.</summary>
/// <param name="Plan">The plan.</param>
/// <param name="Balances">For each exchange of the plan, the balance of each group.</param>
public sealed record RescaleSolution(RescalePlan Plan, ImmutableArray<ImmutableArray<GroupBalance>> Balances)
{
    /// <summary>Every group with its exchange.</summary>
    public IEnumerable<(Exchange Exchange, int Group, GroupBalance Balance)> Groups =>
        from index in Enumerable.Range(0, Balances.Length)
        from @group in Enumerable.Range(0, Balances[index].Length)
        select (Plan.Exchanges[index], @group, Balances[index][@group]);

    /// <summary>The factors as each tensor sees them: along its axis, one for each index.</summary>
    /// <param name="lengthOf">The length of a tensor's axis.</param>
    internal Dictionary<string, TensorScale> TensorScales(Func<string, int, int> lengthOf)
    {
        var scales = new Dictionary<string, TensorScale>(StringComparer.Ordinal);
        for (int index = 0; index < Balances.Length; index++)
        {
            var exchange = Plan.Exchanges[index];
            foreach (var slice in exchange.Slices)
            {
                if (!scales.TryGetValue(slice.Tensor, out var scale))
                {
                    double[] ones = new double[lengthOf(slice.Tensor, slice.Axis)];
                    Array.Fill(ones, 1);
                    scales.Add(slice.Tensor, scale = new TensorScale(slice.Axis, ones));
                }

                if (scale.Axis != slice.Axis) throw new InvalidOperationException($"{slice.Tensor} takes part along both axes");
                foreach (var run in slice.Runs)
                {
                    for (int i = 0; i < run.Count; i++)
                    {
                        double factor = Balances[index][exchange.GroupOfChannel[run.Channel + i]].Factor;
                        scale.Factors[run.Start + i] *= slice.Exponent > 0 ? factor : 1 / factor;
                    }
                }
            }
        }

        // Built anew because TensorScale derives facts from its factors.
        return scales.Where(entry => Array.Exists(entry.Value.Factors, factor => factor != 1))
            .ToDictionary(entry => entry.Key, entry => new TensorScale(entry.Value.Axis, entry.Value.Factors, Plan.Options.AllowLossy), StringComparer.Ordinal);
    }
}
