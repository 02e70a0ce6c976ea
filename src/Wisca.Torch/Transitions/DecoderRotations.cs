using System.Collections.Immutable;
using Wisca.Attention;
using Wisca.Rotations;
using Wisca.Torch.Models;

namespace Wisca.Torch.Transitions;

/// <summary>What may be rotated in a decoder, from its configuration.</summary>
internal static class DecoderRotations
{
    public static RotationPlan Plan(DecoderConfig config)
    {
        var spaces = ImmutableArray.CreateBuilder<RotatedSpace>();
        var refusals = ImmutableArray.CreateBuilder<RotationRefusal>();
        if (config.Names is { AttentionPostNorm: null, FeedForwardPostNorm: null }) spaces.Add(Stream(config));
        else
            refusals.Add(new RotationRefusal(
                RotationKind.Stream, [],
                $"in {config.ModelType} norms write into the residual stream, and their gains act in the stream's own basis"));
        for (int layer = 0; layer < config.Layers.Length; layer++)
        {
            for (int head = 0; head < config.Attention.KvHeads; head++) spaces.Add(Values(config, layer, head));
        }

        return new RotationPlan(spaces.ToImmutable(), refusals.ToImmutable());
    }

    private static RotatedSpace Stream(DecoderConfig config)
    {
        var names = config.Names;
        bool layerNorm = config.Norm.Kind == NormKind.Layer, transposed = config.Attention.Orientation == Orientation.Conv1D;
        var slices = ImmutableArray.CreateBuilder<RotatedSlice>();
        var gains = ImmutableArray.CreateBuilder<RotatedGain>();
        slices.Add(new RotatedSlice($"{names.Root}.{names.Embedding}.weight", 1, 0, SliceRole.Embedding));
        if (names.Positions is { } positions) slices.Add(new RotatedSlice($"{names.Root}.{positions}.weight", 1, 0, SliceRole.Embedding));
        for (int layer = 0; layer < config.Layers.Length; layer++)
        {
            string path = $"{names.Root}.{names.Layers}.{layer}";
            string attention = $"{path}.{names.Attention}.";
            string? read = names.AttentionNorm is { } norm ? Gain($"{path}.{norm}") : null;
            foreach (string projection in names.FusedQkv is { } fused ? [fused] : (string[])[names.Query, names.Key, names.Value])
                Reads(attention + projection, read);
            Writes(attention + names.Output, config.Attention.OutputBias);

            string? inner = names.FeedForwardNorm is { } second ? Gain($"{path}.{second}") : config.Parallel ? read : null;
            string feedForward = names.FeedForward.Length == 0 ? $"{path}." : $"{path}.{names.FeedForward}.";
            if (config.Layers[layer].Mixture is not { } mixture)
            {
                Inner(feedForward, inner);
                continue;
            }

            slices.Add(new RotatedSlice($"{feedForward}{names.Router}.weight", 1, 0, SliceRole.Reads, inner));
            for (int expert = 0; expert < mixture.Experts; expert++) Inner($"{feedForward}{names.Experts}.{expert}.", inner);
            if (mixture.SharedIntermediateSize is null) continue;
            Inner($"{feedForward}{names.SharedExpert}.", inner);
            slices.Add(new RotatedSlice($"{feedForward}{names.SharedExpertGate}.weight", 1, 0, SliceRole.Reads, inner));
        }

        string final = Gain($"{names.Root}.{names.FinalNorm}", config.TiedHead);
        if (!config.TiedHead) slices.Add(new RotatedSlice($"{names.Head}.weight", 1, 0, SliceRole.Head, final));
        return new RotatedSpace(
            RotationKind.Stream, "stream", config.HiddenSize, layerNorm, slices.ToImmutable(), gains.ToImmutable());

        string Gain(string norm, bool uniform = false)
        {
            gains.Add(new RotatedGain($"{norm}.weight", config.Norm.Bias ? $"{norm}.bias" : null, config.Norm.UnitOffset, uniform));
            return $"{norm}.weight";
        }

        void Inner(string path, string? gain)
        {
            if (names.Gate is { } gate) Reads(path + gate, gain);
            Reads(path + names.Up, gain);
            Writes(path + names.Down, config.FeedForward.Bias);
        }

        void Reads(string projection, string? gain) =>
            slices.Add(new RotatedSlice($"{projection}.weight", transposed ? 0 : 1, 0, SliceRole.Reads, gain));

        void Writes(string projection, bool bias)
        {
            slices.Add(new RotatedSlice($"{projection}.weight", transposed ? 1 : 0, 0, SliceRole.Writes));
            if (bias) slices.Add(new RotatedSlice($"{projection}.bias", 0, 0, SliceRole.Bias));
        }
    }

    private static RotatedSpace Values(DecoderConfig config, int layer, int head)
    {
        var (names, attention) = (config.Names, config.Attention);
        string path = $"{names.Root}.{names.Layers}.{layer}.{names.Attention}.";
        int size = attention.HeadDim, group = attention.Heads / attention.KvHeads;
        int inputs = attention.Orientation == Orientation.Conv1D ? 0 : 1, outputs = 1 - inputs;
        string projection = path + (names.FusedQkv ?? names.Value);
        int start = names.FusedQkv is null
            ? head * size
            : attention.FusedOrder == FusedOrder.PerHead
                ? ((head * 3) + 2) * size
                : (attention.Heads + attention.KvHeads + head) * size;
        var slices = ImmutableArray.CreateBuilder<RotatedSlice>();
        slices.Add(new RotatedSlice($"{projection}.weight", outputs, start, SliceRole.Writes));
        if (attention.QkvBias) slices.Add(new RotatedSlice($"{projection}.bias", 0, start, SliceRole.Bias));
        for (int query = head * group; query < (head + 1) * group; query++)
            slices.Add(new RotatedSlice($"{path}{names.Output}.weight", inputs, query * size, SliceRole.Reads));
        return new RotatedSpace(RotationKind.ValueOutput, $"layers.{layer}.vo.{head}", size, false, slices.ToImmutable(), []);
    }
}
