using System.Collections.Immutable;

namespace Wisca.Transitions;

/// <summary>The factors of a plan, after measuring.</summary>
/// <param name="Plan">The plan.</param>
/// <param name="Balances">For each exchange of the plan, the balance of each group.</param>
public sealed record TransitionSolution(TransitionPlan Plan, ImmutableArray<ImmutableArray<GroupBalance>> Balances)
{
    /// <summary>
    /// What the plan's weights come to before and after, in the norm that is balanced; null where the criterion minimises nothing of all
    /// of them together.
    /// </summary>
    public BalanceObjective? Objective { get; init; }

    /// <summary>Every group with its exchange.</summary>
    public IEnumerable<(Exchange Exchange, int Group, GroupBalance Balance)> Groups =>
        from index in Enumerable.Range(0, Balances.Length)
        from @group in Enumerable.Range(0, Balances[index].Length)
        select (Plan.Exchanges[index], @group, Balances[index][@group]);

    /// <summary>The factors as each tensor sees them, by its name: for each index of an axis.
    /// Tensors that nothing scales are left out.</summary>
    /// <param name="lengthOf">The length of a tensor's axis: of columns, that of one matrix.</param>
    public Dictionary<string, AxisFactors> Factors(Func<string, int, int> lengthOf)
    {
        ArgumentNullException.ThrowIfNull(lengthOf);
        var product = new FactorProduct(lengthOf);
        for (int index = 0; index < Balances.Length; index++)
        {
            var balances = Balances[index];
            product.Multiply(Plan.Exchanges[index], group => balances[group].Factor);
        }

        return product.Changed();
    }
}
