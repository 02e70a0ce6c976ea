using System.Collections.Immutable;
using Wisca.Attention;

namespace Wisca.Transitions;

/// <summary>
/// A transition compiled for one layer. Two projections meet in a sum over channels (q.k, or the values through W_o), so each
/// channel may be multiplied on one side and divided on the other: W_1 -> s W_1, W_2 -> W_2 / s. With grouped-query attention a
/// channel of a kv head meets the same channel of every query head of its group.
/// </summary>
/// <param name="Layer">The layer's index; -1 for what lies outside of the layers (the last norm).</param>
/// <param name="Kind">Which projections.</param>
/// <param name="Granularity">How channels are grouped.</param>
/// <param name="GroupOfChannel">For each channel (kv head times head_dim plus index in the head), its group.</param>
/// <param name="Groups">The groups' names.</param>
/// <param name="Slices">The tensors that take part, biases included.</param>
public sealed record Exchange(
    int Layer,
    TransitionKind Kind,
    Granularity Granularity,
    ImmutableArray<int> GroupOfChannel,
    ImmutableArray<GroupLabel> Groups,
    ImmutableArray<ScaledAxis> Slices)
{
    /// <summary>
    /// The space that the channels are of, where it is none of attention: the norm whose gain is scaled, the hidden channels of an MLP.
    /// </summary>
    public string Space { get; init; } = "";

    /// <summary>The m for which one side is multiplied by s and the other by s^-m: 1, or 2 behind a squared activation.</summary>
    public int Degree => Slices.Where(slice => slice.Exponent < 0).Select(slice => -slice.Exponent).DefaultIfEmpty(1).Max();

    /// <summary>
    /// Compiles a transition for a layer, or says why it is not exact there. Sources: WISCA (arXiv 2508.16676) for the exchange;
    /// the rotary pairs share a factor because a rotation commutes with multiples of the identity only.
    /// </summary>
    /// <param name="geometry">The attention.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="kind">Which projections.</param>
    /// <param name="granularity">How channels are grouped.</param>
    /// <param name="refusal">Why there is no such exchange; null where there is one.</param>
    public static Exchange? TryCompile(
        AttentionGeometry geometry, AttentionLayer layer, TransitionKind kind, Granularity granularity, out string? refusal)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        ArgumentNullException.ThrowIfNull(layer);
        refusal = layer.Refusals.GetValueOrDefault(kind);
        if (granularity == Granularity.Channel && kind == TransitionKind.QueryKey && layer.RotaryDims > 0)
            refusal ??= "RoPE rotates channels in pairs, and the two channels of a pair must share a factor: use pair";
        if (granularity == Granularity.Pair && kind == TransitionKind.ValueOutput)
            refusal ??= "values are not rotated, so they have no pairs: use channel";
        if (refusal is not null) return null;

        int d = geometry.DimOf(kind);
        var (groupOf, groups) = Grouped(
            geometry.KvHeads, d, granularity,
            channel => kind == TransitionKind.QueryKey ? FirstOfPair(geometry.RopePairs, layer.RotaryDims, channel) : channel);

        var (multiplied, divided) = kind == TransitionKind.QueryKey ? (layer.Query, layer.Key) : (layer.Value, layer.Output);
        ImmutableArray<ScaledAxis> slices = [.. Sides(multiplied, +1), .. Sides(divided, -1)];
        return new Exchange(layer.Index, kind, granularity, groupOf, groups, slices);

        IEnumerable<ScaledAxis> Sides(Projection projection, int exponent)
        {
            // Query heads of one kv head are consecutive, so head h reads kv head h / (heads per kv head).
            int sharing = projection.Starts.Length / geometry.KvHeads;
            ImmutableArray<ChannelRun> runs = [.. projection.Starts.Select((start, head) => new ChannelRun(start, head / sharing * d, d))];
            yield return new ScaledAxis(projection.Weight, projection.Axis, exponent, false, runs);
            if (projection.Bias is { } bias) yield return new ScaledAxis(bias, 0, exponent, true, runs);
        }
    }

    /// <summary>The exchange between the factors of a LoRA module: columns of B are multiplied, rows of A divided.</summary>
    /// <param name="index">The module's index, which stands for the layer.</param>
    /// <param name="a">The name of A, [r, inputs].</param>
    /// <param name="b">The name of B, [outputs, r].</param>
    /// <param name="rank">r.</param>
    /// <param name="perRank">True for a factor for each rank, false for one.</param>
    public static Exchange OfFactors(int index, string a, string b, int rank, bool perRank)
    {
        ImmutableArray<ChannelRun> runs = [new ChannelRun(0, 0, rank)];
        return new Exchange(
            index,
            TransitionKind.LoraFactors,
            perRank ? Granularity.Channel : Granularity.Tensor,
            [.. Enumerable.Range(0, rank).Select(channel => perRank ? channel : 0)],
            [.. Enumerable.Range(0, perRank ? rank : 1).Select(group => new GroupLabel(null, perRank ? group : null))],
            [new ScaledAxis(b, 1, +1, false, runs), new ScaledAxis(a, 0, -1, false, runs)]);
    }

    /// <summary>Each index of a slice with the group that it belongs to.</summary>
    internal IEnumerable<(int Index, int Group)> Indices(ScaledAxis slice) =>
        from run in slice.Runs from i in Enumerable.Range(0, run.Count) select (run.Start + i, GroupOfChannel[run.Channel + i]);

    /// <summary>The indices along a slice's axis that belong to a group, as compact text: <c>0-31,64-95</c>.</summary>
    /// <param name="slice">The slice.</param>
    /// <param name="group">The group; null for all.</param>
    public string Describe(ScaledAxis slice, int? group)
    {
        ArgumentNullException.ThrowIfNull(slice);
        var ranges = new List<(int First, int Last)>();
        foreach (var run in slice.Runs)
        {
            for (int i = 0; i < run.Count; i++)
            {
                if (group is { } only && GroupOfChannel[run.Channel + i] != only) continue;
                int index = run.Start + i;
                if (ranges.Count > 0 && ranges[^1].Last == index - 1) ranges[^1] = (ranges[^1].First, index);
                else ranges.Add((index, index));
            }
        }

        return string.Join(",", ranges.Select(range => range.First == range.Last ? $"{range.First}" : $"{range.First}-{range.Last}"));
    }

    /// <summary>The groups of the channels of heads, and the group of each channel.</summary>
    /// <param name="kvHeads">Number of heads.</param>
    /// <param name="d">Channels of a head.</param>
    /// <param name="granularity">How channels are grouped.</param>
    /// <param name="firstOf">The first channel of the pair of one; itself where it has none.</param>
    internal static (ImmutableArray<int> GroupOf, ImmutableArray<GroupLabel> Groups) Grouped(
        int kvHeads, int d, Granularity granularity, Func<int, int> firstOf)
    {
        int[] groupOf = new int[kvHeads * d];
        var groups = ImmutableArray.CreateBuilder<GroupLabel>();
        bool single = granularity == Granularity.Tensor, whole = granularity is Granularity.Tensor or Granularity.KvHead;
        for (int head = 0; head < kvHeads; head++)
        {
            for (int channel = 0; channel < d; channel++)
            {
                int first = whole ? 0 : firstOf(channel);
                bool isNew = single ? head == 0 && channel == 0 : first == channel;
                groupOf[(head * d) + channel] = isNew ? groups.Count : groupOf[single ? 0 : (head * d) + first];
                if (isNew) groups.Add(new GroupLabel(single ? null : head, whole ? null : first));
            }
        }

        return ([.. groupOf], groups.ToImmutable());
    }

    /// <summary>The first channel of the rotary pair that a channel belongs to; the channel itself where it is not rotated.</summary>
    internal static int FirstOfPair(RopePairs pairs, int rotaryDims, int channel) =>
        channel >= rotaryDims ? channel
        : pairs == RopePairs.Half ? channel % (rotaryDims / 2)
        : channel - (channel % 2);
}
