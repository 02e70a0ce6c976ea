namespace Wisca.Library.Documents;

/// <summary>The product of all transitions so far, for a program's own checkpoint.</summary>
/// <param name="Transitions">How many there were.</param>
/// <param name="Product">For each exchange of the plan and each of its groups, the product of its factors.</param>
internal sealed record LedgerState(long Transitions, double[][] Product);
