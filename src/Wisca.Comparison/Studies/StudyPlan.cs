namespace Wisca.Comparison.Studies;

/// <summary>The runs of a study, as far as they are known.</summary>
/// <param name="Runs">The runs in the order in which they are made; two may have one id, where two arms are the same.</param>
/// <param name="Waiting">What is not known yet: a sentence for each grid and model
/// whose best learning rate waits for runs of the baseline.</param>
public sealed record StudyPlan(IReadOnlyList<PlannedRun> Runs, IReadOnlyList<string> Waiting);
