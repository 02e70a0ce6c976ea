namespace Wisca.Training.Checkpointing;

/// <summary>A transition of a frozen base, as a checkpoint of its adapter remembers it: applied again, it gives the same bits.</summary>
/// <param name="Step">After how many steps.</param>
/// <param name="Factors">For each exchange of the plan, the factor of each group.</param>
internal sealed record AppliedTransition(long Step, IReadOnlyList<IReadOnlyList<double>> Factors);
