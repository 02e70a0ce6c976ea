using System.Collections.Immutable;
using Wisca.Architectures;
using Wisca.Attention;

namespace Wisca.Rotations;

/// <summary>Decides which spaces of a model may be rotated.</summary>
internal sealed class RotationPlanner(ModelLayout layout)
{
    private readonly ModelMap _map = layout.Map;
    private readonly HashSet<string> _streams =
        [
            ModelMap.Stream,
            .. layout.Map.Norms.Where(norm => norm.Reads == ModelMap.Stream || norm.Writes == ModelMap.Stream).Select(norm => norm.Space),
        ];
    private readonly HashSet<string> _read = [.. layout.Map.Axes.Where(axis => !axis.Writes).Select(axis => axis.Space)];
    private readonly ImmutableArray<RotatedSpace>.Builder _spaces = ImmutableArray.CreateBuilder<RotatedSpace>();
    private readonly List<(RotationKind Kind, int? Layer, string Reason)> _refused = [];

    public RotationPlan Plan()
    {
        if (StreamRefusal() is { } reason) _refused.Add((RotationKind.Stream, null, reason));
        else _spaces.Add(Stream());
        foreach (var layer in layout.Layers)
        {
            OfHeads(layer, RotationKind.ValueOutput, TransitionKind.ValueOutput, layout.ValueDim, 0);

            // What RoPE leaves alone is at the end of a head.
            OfHeads(
                layer, RotationKind.QueryKey, TransitionKind.QueryKey, layout.HeadDim - layer.RotaryDims, layer.RotaryDims);
        }

        return new RotationPlan(
            _spaces.ToImmutable(),
            [
                .. _refused.GroupBy(entry => (entry.Kind, entry.Reason))
                    .Select(entries => new RotationRefusal(
                        entries.Key.Kind, [.. entries.Select(entry => entry.Layer).OfType<int>()], entries.Key.Reason)),
            ]);
    }

    /// <summary>Why the residual stream cannot be rotated, as far as names and shapes tell; null where it can.</summary>
    private string? StreamRefusal()
    {
        if (layout.StreamRefusal is { } reason) return reason;
        if (_map.Undeclared is [var undeclared, ..])
            return $"tensor '{undeclared}' is not in the table of {layout.Table.Name}: it may read or write the residual stream";
        if (_map.Packed is [var packed, ..]) return $"tensor '{packed}' is packed, adapted or no matrix: such weights are not rotated";
        if (_map.Embeddings.IsEmpty) return "the checkpoint has no embeddings of tokens";
        if (_map.HeadReads is null || (_map.Head is null && !_map.IsTied))
            return "the checkpoint has no output projection: what it computes is the residual stream itself";
        if (_map.IsTied && !_streams.Contains(_map.HeadReads))
            return "the output projection is the embedding of tokens, and reads what is no longer the residual stream";
        foreach (var norm in Norms())
        {
            if (norm.Gain is null && norm.Bias is not null) return $"norm '{norm.Space}' has a bias without a gain";
            if (norm.Writes is null && norm.Gain is not null && !_read.Contains(norm.Space) && _map.HeadReads != norm.Space)
                return $"nothing reads behind norm '{norm.Space}', so that its gain has nowhere to go";
        }

        return _map.Axes.FirstOrDefault(axis => InStream(axis) && (axis.Start != 0 || axis.Count != layout.HiddenSize)) is { } wrong
            ? $"tensor '{wrong.Tensor}' has {wrong.Count} channels of the residual stream, and the model {layout.HiddenSize}"
            : null;
    }

    private RotatedSpace Stream()
    {
        var slices = ImmutableArray.CreateBuilder<RotatedSlice>();
        var gains = ImmutableArray.CreateBuilder<RotatedGain>();
        var norms = Norms().ToDictionary(norm => norm.Space, StringComparer.Ordinal);
        foreach (var axis in _map.Axes.Where(InStream))
        {
            var norm = norms.GetValueOrDefault(axis.Space);
            var role = axis.IsBias ? SliceRole.Bias
                : axis.Tensor == _map.Head ? SliceRole.Head
                : _map.Embeddings.Contains(axis.Tensor) ? SliceRole.Embedding
                : axis.Writes ? SliceRole.Writes
                : SliceRole.Reads;
            slices.Add(new RotatedSlice(axis.Tensor, axis.Axis, 0, role, axis.Writes ? null : norm?.Gain));
        }

        foreach (var norm in norms.Values)
        {
            bool behindBranch = norm.Writes is not null;
            // The bias of a norm that writes the stream is written into it as any other.
            if (behindBranch && norm.Bias is { } bias) slices.Add(new RotatedSlice(bias, 0, 0, SliceRole.Bias));
            if (norm.Gain is not { } gain) continue;
            bool uniform = behindBranch || (_map.IsTied && norm.Space == _map.HeadReads);
            gains.Add(
                new RotatedGain(
                    gain, norm.Form is NormForm.RmsPlusOne or NormForm.LayerPlusOne, uniform, behindBranch ? null : norm.Bias));
        }

        return new RotatedSpace(
            RotationKind.Stream, ModelMap.Stream, layout.HiddenSize,
            norms.Values.Any(norm => norm.Form is NormForm.Layer or NormForm.LayerPlusOne), slices.ToImmutable(), gains.ToImmutable());
    }

    /// <summary>The spaces in which the heads of a layer meet: of values and the output projection, of queries and keys.</summary>
    private void OfHeads(AttentionLayer layer, RotationKind kind, TransitionKind transition, int size, int offset)
    {
        if (layer.Refusals.TryGetValue(transition, out string? reason))
        {
            _refused.Add((kind, layer.Index, reason));
            return;
        }

        if (layout.GatesValues && kind == RotationKind.ValueOutput)
            _refused.Add((kind, layer.Index, "a gate for each channel stands between attention and output projection"));
        if (_refused.Any(entry => entry.Kind == kind && entry.Layer == layer.Index)) return;
        if (size < 2)
        {
            _refused.Add((kind, layer.Index, "RoPE rotates every channel in its pair, so that queries and keys have no free basis"));
            return;
        }

        int sharing = layout.Heads / layout.KvHeads;
        var (own, shared) = kind == RotationKind.ValueOutput ? (layer.Output, layer.Value) : (layer.Query, layer.Key);
        for (int head = 0; head < layout.KvHeads; head++)
        {
            var slices = ImmutableArray.CreateBuilder<RotatedSlice>();
            Add(shared, head, SliceRole.Writes, dual: false);
            for (int query = head * sharing; query < (head + 1) * sharing; query++)
                Add(own, query, kind == RotationKind.ValueOutput ? SliceRole.Reads : SliceRole.Writes, dual: true);
            _spaces.Add(new RotatedSpace(kind, $"layers.{layer.Index}.{kind.Name()}.{head}", size, false, slices.ToImmutable(), [])
                {
                    Layer = layer.Index,
                });

            void Add(Projection projection, int index, SliceRole role, bool dual)
            {
                int start = projection.Starts[index] + offset;
                slices.Add(new RotatedSlice(projection.Weight, projection.Axis, start, role, Dual: dual));
                if (projection.Bias is { } bias) slices.Add(new RotatedSlice(bias, 0, start, SliceRole.Bias, Dual: dual));
            }
        }
    }

    private IEnumerable<ModelNorm> Norms() => _map.Norms.Where(norm => _streams.Contains(norm.Space));

    private bool InStream(WeightAxis axis) => _streams.Contains(axis.Space);
}
