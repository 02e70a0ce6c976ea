namespace Wisca.Comparison.Results;

/// <summary>What a result must say to be one, whoever wrote it: JSON alone allows a run without an end.</summary>
internal static class ResultCheck
{
    /// <summary>What is wrong with a result; null where nothing is.</summary>
    public static string? Fault(RunResult result) =>
        FaultOfLists(result)
        ?? (result.Steps < 0 || result.Tokens < 0 || result.Parameters < 0 ? "steps, tokens or parameters are negative"
            : !(result.Seconds >= 0) || !double.IsFinite(result.Seconds) ? $"seconds is {result.Seconds}, expected a time"
            : !(result.LearningRate >= 0) || !double.IsFinite(result.LearningRate)
                ? $"learning_rate is {result.LearningRate}, expected a learning rate"
            : !Ascends(result.TrainingLoss.Select(point => point.Step), result.Steps)
                ? "training_loss: its steps do not ascend to those of the run"
            : !Ascends(result.HeldOut.Select(point => point.Step), result.Steps) ? "held_out: its steps do not ascend to those of the run"
            : result.Outcome == RunOutcome.Diverged ? null
            : result.HeldOut.Count == 0 ? "held_out is empty, expected the evaluation of the trained model"
            : !double.IsFinite(result.HeldOut[^1].Validation) || !double.IsFinite(result.HeldOut[^1].Test)
                ? "held_out ends with a loss that is not finite, although the run is completed"
            : null);

    private static string? FaultOfLists(RunResult result) =>
        Holds(result.TrainingLoss, "training_loss")
        ?? Holds(result.HeldOut, "held_out")
        ?? Holds(result.Transitions, "transitions")
        ?? Holds(result.Imbalances, "imbalances")
        ?? Holds(result.Norms, "norms")
        ?? Holds(result.Rotations ?? [], "rotations")
        ?? (result.Rotations ?? [])
            .Where(series => series.Angle.Count != series.Steps.Count
                || series.Before.Count != series.After.Count
                || (series.Before.Count > 0 && series.Before.Count != series.Steps.Count))
            .Select(series => $"rotations of {series.Kind}: as many steps as values are expected")
            .FirstOrDefault()
        ?? Holds(result.Scores.Values, "scores")
        ?? Holds(result.Environment.Versions.Values, "environment.versions")
        ?? result.Imbalances.Concat(result.Norms)
            .Where(series => series.Steps.Count != series.Values.Count)
            .Select(series => $"{series.Name} of layer {series.Layer} has {series.Steps.Count} steps and {series.Values.Count} values")
            .FirstOrDefault();

    private static string? Holds(IEnumerable<object?> items, string name) => items.Any(item => item is null) ? $"{name} holds null" : null;

    private static bool Ascends(IEnumerable<long> steps, long last)
    {
        long before = -1;
        foreach (long step in steps)
        {
            if (step < before || step > last) return false;
            before = step;
        }

        return true;
    }
}
