using System.Reflection;
using Wisca.Training.Checkpointing;
using Wisca.Training.Logging;

namespace Wisca.Training.Tests.Logging;

/// <summary>Names that files of earlier runs have already.</summary>
public sealed class MetricNamesTests
{
    [Fact]
    public void MetricNames_Stay() =>
        Values(typeof(MetricNames)).ShouldBe([
            "step", "time", "model/parameters", "model/digest", "model/base", "train/loss", "train/learning_rate", "train/gradient_norm",
            "train/tokens", "train/auxiliary_loss", "time/tokens_per_second", "time/outside_share", "time/waiting_share",
            "time/evaluation_seconds", "time/transition_seconds", "time/balance_seconds",
            "validation/loss", "validation/perplexity", "validation/average_loss",
            "test/loss", "test/perplexity", "wisca/largest_log2", "wisca/scaled_groups", "wisca/groups", "layer", "transition", "factor",
            "norms", "kv_head", "channel", "note", "wisca/loss_before", "wisca/loss_after", "angle", "diagonal_before", "diagonal_after",
            "rotation/skipped", "time/rotation_seconds", "rotation/loss_before", "rotation/loss_after",
            "heads/balanced", "heads/skipped", "heads/clipped", "heads/imbalance_before", "heads/imbalance_after", "heads/loss_before",
            "heads/loss_after", "time/heads_seconds", "adapter/balanced",
            "adapter/skipped", "adapter/clamped", "adapter/mean_factor", "adapter/least_factor", "adapter/greatest_factor", "sample/prompt",
            "sample/text", "imbalance", "norm",
        ]);

    [Fact]
    public void RunLayout_Stays() =>
        Values(typeof(RunLayout)).ShouldBe([
            "config.yaml", "metrics.jsonl", "tensorboard", "cache", "checkpoints", ".lock", "latest.json", "best.json", "step-", "training",
            "training/state.json", "training/optimizer.safetensors", "training/average.safetensors", "training/rotations.safetensors",
            "training/heads.safetensors", "training/adapter.safetensors", "training/transitions.json", "average",
        ]);

    [Theory]
    [InlineData("imbalance", "qk", 0)]
    [InlineData("norm", "o", 31)]
    public void OfLayer_IsTakenApartAgain(string quantity, string name, int layer)
    {
        MetricNames.OfLayer(quantity, name, layer).ShouldBe($"{quantity}/{name}/layer{layer}");
        MetricNames.FindLayer(MetricNames.OfLayer(quantity, name, layer)).ShouldBe((quantity, name, layer));
    }

    [Theory]
    [InlineData("train/loss")]
    [InlineData("train/q/layer1")]
    [InlineData("norm/q/layer")]
    [InlineData("norm/q/1")]
    [InlineData("norm/q/layer1/x")]
    public void FindLayer_OfAnotherMetric_IsNone(string metric) => MetricNames.FindLayer(metric).ShouldBeNull();

    private static IEnumerable<string> Values(Type type) =>
        type.GetFields(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static)
            .Where(field => !field.IsPrivate)
            .Select(field => (string)field.GetRawConstantValue()!);
}
