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
                new("model/parameters", parameters),
                new("model/digest", digest),
                .. baseDigest is null ? [] : (KeyValuePair<string, JsonNode?>[])[new("model/base", baseDigest)],
            ]);

    public void Trained(StepReport report)
    {
        var metrics = new List<KeyValuePair<string, double>>
        {
            new("train/loss", report.Loss),
            new("train/learning_rate", report.LearningRate),
            new("train/gradient_norm", report.GradientNorm),
            new("train/tokens", report.TokensSeen),
            new("time/tokens_per_second", report.TokensPerSecond),
            new("time/outside_share", report.OutsideShare),
        };
        if (report.Auxiliary is { } auxiliary) metrics.Add(new("train/auxiliary_loss", auxiliary));
        foreach (var group in report.Imbalances)
        {
            var (multiplied, divided) = group.Kind == TransitionKind.QueryKey ? ("q", "k") : ("v", "o");
            metrics.Add(new($"imbalance/{group.Kind.Name()}/layer{group.Layer}", group.Log2Ratio));
            metrics.Add(new($"norm/{multiplied}/layer{group.Layer}", group.MultipliedNorm));
            metrics.Add(new($"norm/{divided}/layer{group.Layer}", group.DividedNorm));
        }

        Write(report.Step, metrics);
    }

    public void Evaluated(EvaluationReport report)
    {
        var metrics = new List<KeyValuePair<string, double>>
        {
            new("validation/loss", report.Loss),
            new("validation/perplexity", report.Perplexity),
            new("time/evaluation_seconds", report.Elapsed.TotalSeconds),
        };
        if (report.TestLoss is { } test) metrics.AddRange([new("test/loss", test), new("test/perplexity", Math.Exp(test))]);
        if (report.AverageLoss is { } average) metrics.Add(new("validation/average_loss", average));
        Write(report.Step, metrics);
    }

    public void Transitioned(TransitionEvent transition)
    {
        _board?.WriteScalars(
            transition.Step,
            [
                new("wisca/largest_log2", transition.LargestLog2), new("wisca/scaled_groups", transition.Scaled),
                new("time/transition_seconds", transition.Elapsed.TotalSeconds),
            ]);
        _metrics?.WriteRecord(transition.Step,
        [
            new("wisca/largest_log2", transition.LargestLog2),
            new("wisca/scaled_groups", transition.Scaled),
            new("time/transition_seconds", transition.Elapsed.TotalSeconds),
            new(
                "wisca/groups",
                new JsonArray([.. transition.Solution.Groups.Select(entry => (JsonNode?)Group(entry.Exchange, entry.Balance))])),
            .. transition.Loss is { } loss
                ? (KeyValuePair<string, JsonNode?>[])[new("wisca/loss_before", loss.Before), new("wisca/loss_after", loss.After)]
                : [],
        ]);
    }

    public void Balanced(LoraBalanceEvent balance) => Write(balance.Step,
    [
        new("adapter/balanced", balance.Balanced),
        new("adapter/skipped", balance.Skipped),
        new("adapter/clamped", balance.Clamped),
        .. balance.Factors is { } factors
            ? (KeyValuePair<string, double>[])
                [
                    new("adapter/mean_factor", factors.Mean), new("adapter/least_factor", factors.Least),
                    new("adapter/greatest_factor", factors.Greatest),
                ]
            : [],
        new("time/balance_seconds", balance.Elapsed.TotalSeconds),
    ]);

    public void Sampled(long completedSteps, string prompt, string continuation)
    {
        _board?.WriteText(completedSteps, "sample", prompt + continuation);
        _metrics?.WriteRecord(completedSteps, [new("sample/prompt", prompt), new("sample/text", continuation)]);
    }

    public void Saved(long completedSteps, string folder)
    {
    }

    public void Notice(string message)
    {
    }

    public void Dispose()
    {
        _metrics?.Dispose();
        _board?.Dispose();
    }

    private static JsonObject Group(Exchange exchange, GroupBalance balance)
    {
        var group = new JsonObject
        {
            ["layer"] = exchange.Layer,
            ["transition"] = exchange.Kind.Name(),
            ["factor"] = balance.Factor,
            ["norms"] = new JsonArray(balance.MultipliedNorm, balance.DividedNorm),
        };
        if (balance.Label.KvHead is { } head) group["kv_head"] = head;
        if (balance.Label.Channel is { } channel) group["channel"] = channel;
        if (balance.Note is { } note) group["note"] = note;
        return group;
    }

    private void Write(long step, IReadOnlyList<KeyValuePair<string, double>> metrics)
    {
        _metrics?.Write(step, metrics);
        _board?.WriteScalars(step, metrics);
    }
}
