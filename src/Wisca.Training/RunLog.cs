using System.Text.Json.Nodes;
using Wisca.Attention;
using Wisca.Torch.Lora;
using Wisca.Torch.Transitions;
using Wisca.Training.Checkpointing;
using Wisca.Training.Configuration;
using Wisca.Training.Logging;
using Wisca.Transitions;

namespace Wisca.Training;

/// <summary>Writes what happens in a run to metrics.jsonl and for TensorBoard.</summary>
internal sealed class RunLog : ITrainingObserver, IDisposable
{
    private readonly MetricsWriter? _metrics;
    private readonly TensorBoardWriter? _board;

    public RunLog(RunFolder folder, LoggingSection section, long lastStep)
    {
        if (section.Jsonl) _metrics = MetricsWriter.Open(folder.MetricsPath, lastStep);
        if (section.Tensorboard) _board = new TensorBoardWriter(folder.TensorBoardFolder, lastStep + 1);
    }

    /// <summary>Length of the metrics file in bytes.</summary>
    public long Position => _metrics?.Position ?? 0;

    /// <summary>What a run begins with.</summary>
    /// <param name="parameters">Number of parameters.</param>
    /// <param name="digest">A digest of the weights before anything is done to them.</param>
    /// <param name="baseDigest">A digest of the frozen model that they are trained on; null for none.</param>
    public void Began(long parameters, string digest, string? baseDigest) =>
        _metrics?.WriteRecord(
            0,
            [
                new(MetricNames.Parameters, parameters),
                new(MetricNames.ModelDigest, digest),
                .. baseDigest is null ? [] : (KeyValuePair<string, JsonNode?>[])[new(MetricNames.BaseDigest, baseDigest)],
            ]);

    public void Trained(StepReport report)
    {
        var metrics = new List<KeyValuePair<string, double>>
        {
            new(MetricNames.TrainingLoss, report.Loss),
            new(MetricNames.LearningRate, report.LearningRate),
            new(MetricNames.GradientNorm, report.GradientNorm),
            new(MetricNames.Tokens, report.TokensSeen),
            new(MetricNames.TokensPerSecond, report.TokensPerSecond),
            new(MetricNames.OutsideShare, report.OutsideShare),
        };
        if (report.Auxiliary is { } auxiliary) metrics.Add(new(MetricNames.AuxiliaryLoss, auxiliary));
        if (report.WaitingShare is { } waiting) metrics.Add(new(MetricNames.WaitingShare, waiting));
        foreach (var group in report.Imbalances)
        {
            var (multiplied, divided) = group.Kind == TransitionKind.QueryKey ? ("q", "k") : ("v", "o");
            metrics.Add(new(MetricNames.OfLayer(MetricNames.Imbalance, group.Kind.Name(), group.Layer), group.Log2Ratio));
            metrics.Add(new(MetricNames.OfLayer(MetricNames.Norm, multiplied, group.Layer), group.MultipliedNorm));
            metrics.Add(new(MetricNames.OfLayer(MetricNames.Norm, divided, group.Layer), group.DividedNorm));
        }

        Write(report.Step, metrics);
    }

    public void Evaluated(EvaluationReport report)
    {
        var metrics = new List<KeyValuePair<string, double>>
        {
            new(MetricNames.ValidationLoss, report.Loss),
            new(MetricNames.ValidationPerplexity, report.Perplexity),
            new(MetricNames.EvaluationSeconds, report.Elapsed.TotalSeconds),
        };
        if (report.TestLoss is { } test)
            metrics.AddRange([new(MetricNames.TestLoss, test), new(MetricNames.TestPerplexity, Math.Exp(test))]);
        if (report.AverageLoss is { } average) metrics.Add(new(MetricNames.AverageLoss, average));
        Write(report.Step, metrics);
    }

    public void Transitioned(TransitionEvent transition)
    {
        _board?.WriteScalars(
            transition.Step,
            [
                new(MetricNames.LargestLog2, transition.LargestLog2),
                new(MetricNames.ScaledGroups, transition.Scaled),
                new(MetricNames.TransitionSeconds, transition.Elapsed.TotalSeconds),
            ]);
        _metrics?.WriteRecord(transition.Step,
        [
            new(MetricNames.LargestLog2, transition.LargestLog2),
            new(MetricNames.ScaledGroups, transition.Scaled),
            new(MetricNames.TransitionSeconds, transition.Elapsed.TotalSeconds),
            new(
                MetricNames.Groups,
                new JsonArray([.. transition.Solution.Groups.Select(entry => (JsonNode?)Group(entry.Exchange, entry.Balance))])),
            .. transition.Loss is { } loss
                ? (KeyValuePair<string, JsonNode?>[])
                    [new(MetricNames.LossBefore, loss.Before), new(MetricNames.LossAfter, loss.After)]
                : [],
        ]);
    }

    public void Rotated(RotationEvent rotation)
    {
        var metrics = new List<KeyValuePair<string, double>>();
        foreach (var kind in rotation.Spaces.Select(entry => entry.Space.Kind).Distinct())
        {
            if (rotation.Mean(kind) is not { } mean) continue;
            metrics.Add(new(MetricNames.OfRotation(kind.Name(), MetricNames.RotationAngle), mean.Angle));
            if (mean.Diagonal is not { } diagonal) continue;
            metrics.Add(new(MetricNames.OfRotation(kind.Name(), MetricNames.DiagonalBefore), diagonal.Before));
            metrics.Add(new(MetricNames.OfRotation(kind.Name(), MetricNames.DiagonalAfter), diagonal.After));
        }

        if (rotation.Loss is { } loss)
            metrics.AddRange([new(MetricNames.RotationLossBefore, loss.Before), new(MetricNames.RotationLossAfter, loss.After)]);
        metrics.Add(new(MetricNames.RotationSeconds, rotation.Elapsed.TotalSeconds));
        _board?.WriteScalars(rotation.Step, metrics);
        var skipped = rotation.Spaces.Where(entry => entry.Skipped is not null).ToList();
        _metrics?.WriteRecord(
            rotation.Step,
            [
                .. metrics.Select(metric => KeyValuePair.Create<string, JsonNode?>(metric.Key, metric.Value)),
                .. skipped.Count == 0
                    ? (KeyValuePair<string, JsonNode?>[])[]
                    : [
                        new(
                            MetricNames.SkippedSpaces,
                            new JsonObject(skipped.Select(entry => KeyValuePair.Create(entry.Space.Name, (JsonNode?)entry.Skipped)))),
                    ],
            ]);
    }

    public void HeadsBalanced(HeadBalanceEvent balance) => Write(balance.Step,
    [
        new(MetricNames.BalancedHeads, balance.Balanced),
        new(MetricNames.SkippedHeads, balance.Skipped),
        new(MetricNames.ClippedHeads, balance.Clipped),
        new(MetricNames.ImbalanceBefore, balance.Before),
        new(MetricNames.ImbalanceAfter, balance.After),
        .. balance.Loss is { } loss
            ? (KeyValuePair<string, double>[])
                [new(MetricNames.HeadsLossBefore, loss.Before), new(MetricNames.HeadsLossAfter, loss.After)]
            : [],
        new(MetricNames.HeadsSeconds, balance.Elapsed.TotalSeconds),
    ]);

    public void Balanced(LoraBalanceEvent balance) => Write(balance.Step,
    [
        new(MetricNames.BalancedModules, balance.Balanced),
        new(MetricNames.SkippedModules, balance.Skipped),
        new(MetricNames.ClampedModules, balance.Clamped),
        .. balance.Factors is { } factors
            ? (KeyValuePair<string, double>[])
                [
                    new(MetricNames.MeanFactor, factors.Mean), new(MetricNames.LeastFactor, factors.Least),
                    new(MetricNames.GreatestFactor, factors.Greatest),
                ]
            : [],
        new(MetricNames.BalanceSeconds, balance.Elapsed.TotalSeconds),
    ]);

    public void Sampled(long completedSteps, string prompt, string continuation)
    {
        _board?.WriteText(completedSteps, "sample", prompt + continuation);
        _metrics?.WriteRecord(completedSteps, [new(MetricNames.SamplePrompt, prompt), new(MetricNames.SampleText, continuation)]);
    }

    public void Saved(long completedSteps, string folder)
    {
    }

    public void Notice(string message)
    {
    }

    /// <summary>Brings the metrics to the disk, before a checkpoint that counts on them.</summary>
    public void Flush() => _metrics?.Flush();

    public void Dispose()
    {
        _metrics?.Dispose();
        _board?.Dispose();
    }

    private static JsonObject Group(Exchange exchange, GroupBalance balance)
    {
        var group = new JsonObject
        {
            [MetricNames.GroupLayer] = exchange.Layer,
            [MetricNames.GroupTransition] = exchange.Kind.Name(),
            [MetricNames.GroupFactor] = balance.Factor,
            [MetricNames.GroupNorms] = new JsonArray(balance.MultipliedNorm, balance.DividedNorm),
        };
        if (balance.Label.KvHead is { } head) group[MetricNames.GroupKvHead] = head;
        if (balance.Label.Channel is { } channel) group[MetricNames.GroupChannel] = channel;
        if (balance.Note is { } note) group[MetricNames.GroupNote] = note;
        return group;
    }

    private void Write(long step, IReadOnlyList<KeyValuePair<string, double>> metrics)
    {
        _metrics?.Write(step, metrics);
        _board?.WriteScalars(step, metrics);
    }
}
