using Wisca.Comparison.Results;

namespace Wisca.Comparison.Studies;

/// <summary>Chooses learning rates.</summary>
internal static class RunSelection
{
    /// <summary>
    /// The learning rate with the lowest mean loss on the validation text, over the seeds that all rates have. A run that diverged counts
    /// as infinitely bad; null where every rate has one of those, or there is no such seed.
    /// </summary>
    public static double? BestRate(IEnumerable<(PlannedRun Run, RunResult Result)> runs)
    {
        var rates = runs.GroupBy(entry => entry.Run.LearningRate).ToList();
        if (rates.Count == 0) return null;
        var seeds = rates.Select(rate => rate.Select(entry => entry.Run.Seed)).Aggregate((all, more) => all.Intersect(more)).ToHashSet();
        if (seeds.Count == 0) return null;
        var (best, loss) = rates
            .Select(rate =>
                (
                    rate.Key,
                    Loss: rate.Where(entry => seeds.Contains(entry.Run.Seed))
                        .DistinctBy(entry => entry.Run.Seed)
                        .Average(entry => entry.Result.Final()?.Validation ?? double.PositiveInfinity)))
            .OrderBy(rate => rate.Key)
            .MinBy(rate => rate.Loss);
        return double.IsFinite(loss) ? best : null;
    }
}
