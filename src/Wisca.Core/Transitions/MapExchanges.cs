using System.Collections.Immutable;
using Wisca.Architectures;
using Wisca.Attention;

namespace Wisca.Transitions;

/// <summary>Compiles what lies beside attention: hidden channels of MLPs, and gains of norms. All of it follows from the map.</summary>
internal sealed class MapExchanges
{
    /// <summary>The number that stands for a layer where something lies outside of the layers: the last norm.</summary>
    public const int Outside = -1;

    private readonly ModelLayout _layout;
    private readonly ModelMap _map;
    private readonly LayerNames _names;
    private readonly ILookup<string, WeightAxis> _axes;
    private readonly ILookup<int, HiddenSpace> _hidden;
    private readonly ILookup<int, ModelNorm> _norms;
    private readonly ILookup<string, ModelNorm> _normsBetween;
    private readonly ILookup<int, string> _undeclared, _packed;

    public MapExchanges(ModelLayout layout)
    {
        _layout = layout;
        _map = layout.Map;
        _names = LayerNames.Of(layout.Table, layout.Prefix);
        _axes = _map.Axes.ToLookup(axis => axis.Space, StringComparer.Ordinal);
        _hidden = _map.Hidden.ToLookup(hidden => hidden.Layer ?? Outside);
        _norms = _map.Norms.Where(norm => norm.Writes is null).ToLookup(norm => norm.Layer ?? Outside);
        _normsBetween = _map.Norms.Where(norm => norm.Reads is not null).ToLookup(norm => norm.Reads!, StringComparer.Ordinal);
        _undeclared = _map.Undeclared.ToLookup(LayerOf);
        _packed = _map.Packed.ToLookup(LayerOf);

        int LayerOf(string tensor) => _names.TryParse(tensor, out int layer, out _) ? layer : Outside;
    }

    /// <summary>The exchanges of a layer's MLPs.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="granularity">Tensor or channel.</param>
    /// <param name="refuse">Told why something is not exact.</param>
    public IEnumerable<Exchange> OfMlps(int layer, Granularity granularity, Action<string> refuse)
    {
        if (WrongGranularity(granularity, "MLPs have") is { } wrong) refuse(wrong);
        else if (_layout.Layers[layer].Refusals.TryGetValue(TransitionKind.UpDown, out string? reason)) refuse(reason);
        else if (Undeclared(layer) is { } undeclared) refuse(undeclared);
        else if (!_hidden[layer].Any()) refuse($"the table of {_layout.Table.Name} names no MLP in the layer");
        else
        {
            foreach (var hidden in _hidden[layer])
            {
                if (OfHidden(hidden, layer, granularity, refuse) is { } exchange) yield return exchange;
            }
        }
    }

    /// <summary>The exchanges of a layer's norms with what reads behind them.</summary>
    /// <param name="layer">The layer, or <see cref="Outside"/>.</param>
    /// <param name="granularity">Tensor or channel.</param>
    /// <param name="refuse">Told why something is not exact.</param>
    public IEnumerable<Exchange> OfNorms(int layer, Granularity granularity, Action<string> refuse)
    {
        string? own = layer == Outside ? null : _layout.Layers[layer].Refusals.GetValueOrDefault(TransitionKind.NormGain);
        if (WrongGranularity(granularity, "norms of the stream have") is { } wrong) refuse(wrong);
        else if (own is not null) refuse(own);
        else if (Undeclared(layer) is { } undeclared) refuse(undeclared);
        else if (_packed[layer].FirstOrDefault() is { } packed) refuse(Packed(packed));
        else if (_norms[layer].All(norm => norm.Gain is null || IsOfHeads(norm)))
            refuse(_norms[layer].All(IsOfHeads) ? "there is no norm whose output weights read" : "the norms have no gain");
        else
        {
            foreach (var norm in _norms[layer].Where(norm => !IsOfHeads(norm)))
            {
                if (OfNorm(norm, layer, granularity, refuse) is { } exchange) yield return exchange;
            }
        }
    }

    /// <summary>
    /// The exchange between the gains of a layer's queries and keys, where these are normalised: what W_q and W_k cannot exchange any
    /// more. Rotary pairs share a factor, whether RoPE comes before the norm or behind it. Where all heads share one gain, they share its
    /// factors.
    /// </summary>
    /// <param name="layer">The layer.</param>
    /// <param name="granularity">Tensor, or channel for the finest that is exact.</param>
    /// <param name="refuse">Told why something is not exact.</param>
    public IEnumerable<Exchange> OfHeadNorms(AttentionLayer layer, Granularity granularity, Action<string> refuse)
    {
        var norms = _norms[layer.Index].Where(IsOfHeads).ToList();
        var queries = norms.Where(norm => norm.Reads!.EndsWith('q') && norm.Gain is not null).ToList();
        var keys = norms.Where(norm => norm.Reads!.EndsWith('k') && norm.Gain is not null).ToList();
        if (queries.Count + keys.Count == 0) yield break;
        int d = _layout.HeadDim;
        if (layer.Refusals.TryGetValue(TransitionKind.QueryKeyNorm, out string? reason)) refuse(reason);
        else if (Undeclared(layer.Index) is { } undeclared) refuse(undeclared);
        else if (queries is not [var query] || keys is not [var key]) refuse("only queries or only keys are normalised with a gain");
        else if (WrongGranularity(granularity, "gains of queries and keys have") is { } wrong) refuse(wrong);
        else if (!(query.GainLength == d && key.GainLength == d)
            && !(query.GainLength == _layout.Heads * d && key.GainLength == _layout.KvHeads * d))
            refuse($"gains of {query.GainLength} and {key.GainLength} elements fit neither a head nor all heads");
        else
        {
            bool shared = query.GainLength == d;
            int kvHeads = shared ? 1 : _layout.KvHeads, sharing = shared ? 1 : _layout.Heads / _layout.KvHeads;
            var (groupOf, groups) = Exchange.Grouped(
                kvHeads, d, granularity == Granularity.Tensor ? Granularity.Tensor : Granularity.Pair,
                channel => Exchange.FirstOfPair(_layout.RopePairs, layer.RotaryDims, channel));
            if (shared) groups = [.. groups.Select(group => group with { KvHead = null })];
            yield return new Exchange(
                layer.Index, TransitionKind.QueryKeyNorm, granularity, groupOf, groups,
                [.. Sides(query, +1, sharing), .. Sides(key, -1, 1)])
            {
                Space = query.Space,
            };
        }

        IEnumerable<ScaledAxis> Sides(ModelNorm norm, int exponent, int sharing)
        {
            ImmutableArray<ChannelRun> runs =
            [
                .. Enumerable.Range(0, norm.GainLength / d).Select(head => new ChannelRun(head * d, head / sharing * d, d)),
            ];
            bool plusOne = norm.Form is NormForm.RmsPlusOne or NormForm.LayerPlusOne;

            // One row for each head: every element has a factor of its own.
            int parts = Math.Max(1, norm.GainRows), axis = norm.GainRows > 0 ? 1 : 0;
            yield return new ScaledAxis(norm.Gain!, axis, exponent, false, runs) { AddsOne = plusOne, Parts = parts };
            if (norm.Bias is { } bias) yield return new ScaledAxis(bias, axis, exponent, true, runs) { Parts = parts };
        }
    }

    private static string? WrongGranularity(Granularity granularity, string which) =>
        granularity is Granularity.Tensor or Granularity.Channel ? null : $"{which} neither heads nor pairs: use tensor or channel";

    /// <summary>True for the norms of queries and keys (QK-norm), behind which attention reads.</summary>
    private static bool IsOfHeads(ModelNorm norm) => norm.Reads?.Split('.')[^1] is "q" or "k";

    private string? Undeclared(int layer) =>
        _undeclared[layer].FirstOrDefault() is { } tensor
            ? $"tensor '{Short(tensor, layer)}' is not in the table of {_layout.Table.Name}: it may read what is scaled"
            : null;

    private static string Packed(string tensor) =>
        $"tensor '{tensor}' is packed, adapted or no matrix: such weights are not rescaled";

    /// <summary>A name without its layer, so that all layers share one reason.</summary>
    private string Short(string tensor, int layer) => layer == Outside ? tensor : tensor[_names[layer].Length..];

    private Exchange? OfHidden(HiddenSpace hidden, int layer, Granularity granularity, Action<string> refuse)
    {
        string name = Short(hidden.Space, layer), beside = hidden.Space[..(hidden.Space.LastIndexOf('.') + 1)];
        var writers = _axes[hidden.Space].Where(axis => axis.Writes).ToList();
        var readers = _axes[hidden.Space].Where(axis => !axis.Writes).ToList();
        if (hidden.Degree is not { } degree)
        {
            // Experts one by one share a reason.
            refuse($"{Starred(name)}: {hidden.Activation}, through which no factor is known to pass");
            return null;
        }

        if (_packed[layer].FirstOrDefault(tensor => tensor.StartsWith(beside, StringComparison.Ordinal)) is { } packed)
        {
            refuse(Packed(Starred(Short(packed, layer))));
            return null;
        }

        if (_normsBetween[hidden.Space].FirstOrDefault() is { } norm)
        {
            refuse($"norm '{Short(norm.Space, layer)}' reads what the MLP writes, so that a factor is divided out again");
            return null;
        }

        if (!writers.Any(axis => !axis.IsBias) || readers.Count == 0)
        {
            refuse($"what {(readers.Count == 0 ? "reads" : "writes")} {Starred(name)} is not there");
            return null;
        }

        var first = writers.First(axis => !axis.IsBias);
        if (writers.Concat(readers).FirstOrDefault(axis => axis.Count != first.Count || axis.Experts != first.Experts) is { } other)
        {
            refuse(
                $"'{Starred(Short(first.Tensor, layer))}' writes {first.Count} channels, and '{Starred(Short(other.Tensor, layer))}' has "
                + $"{other.Count} of them");
            return null;
        }

        int count = first.Count, experts = first.Experts ?? 1;
        ImmutableArray<ScaledAxis> slices =
        [
            .. writers.Select(axis => Slice(axis, +1, shared: false)), .. readers.Select(axis => Slice(axis, -degree, shared: false)),
        ];
        bool single = granularity == Granularity.Tensor;
        return new Exchange(
            layer, TransitionKind.UpDown, granularity,
            [.. Enumerable.Range(0, experts * count).Select(channel => single ? channel / count : channel)],
            [
                .. from expert in Enumerable.Range(0, experts)
                from channel in Enumerable.Range(0, single ? 1 : count)
                select new GroupLabel(null, single ? null : channel) { Expert = first.Experts is null ? null : expert },
            ],
            slices)
        {
            Space = hidden.Space,
        };
    }

    private static string Starred(string name) =>
        string.Join('.', name.Split('.').Select(part => part.All(char.IsAsciiDigit) ? "*" : part));

    private Exchange? OfNorm(ModelNorm norm, int layer, Granularity granularity, Action<string> refuse)
    {
        string name = Short(norm.Space, layer);
        if (norm.Gain is not { } gain) return null;
        var readers = _axes[norm.Space].Where(axis => !axis.Writes).ToList();
        if (_map.IsTied && _map.HeadReads == norm.Space)
        {
            refuse($"the output projection behind '{name}' is tied to the embedding, which is read as it is");
            return null;
        }

        if (_map.HeadReads == norm.Space && _map.Head is null)
        {
            refuse($"the output projection behind '{name}' is not in the checkpoint");
            return null;
        }

        if (readers.Count == 0)
        {
            refuse($"nothing is known to read behind norm '{name}'");
            return null;
        }

        int count = readers[0].Count;
        if (readers.FirstOrDefault(axis => axis.Count != count || axis.Start != 0) is { } other)
        {
            refuse($"'{Short(other.Tensor, layer)}' reads {other.Count} channels behind norm '{name}', and others {count}");
            return null;
        }

        if (norm.GainLength != count)
        {
            refuse($"the gain of norm '{name}' has {norm.GainLength} elements, and what reads behind it {count} channels");
            return null;
        }

        ImmutableArray<ChannelRun> runs = [new ChannelRun(0, 0, count)];
        bool plusOne = norm.Form is NormForm.RmsPlusOne or NormForm.LayerPlusOne;
        var slices = ImmutableArray.CreateBuilder<ScaledAxis>();
        slices.Add(new ScaledAxis(gain, 0, +1, false, runs) { AddsOne = plusOne, IsGain = true });
        if (norm.Bias is { } bias) slices.Add(new ScaledAxis(bias, 0, +1, true, runs));
        slices.AddRange(readers.Select(axis => Slice(axis, -1, shared: true)));
        bool single = granularity == Granularity.Tensor;
        return new Exchange(
            layer, TransitionKind.NormGain, granularity, [.. Enumerable.Range(0, count).Select(channel => single ? 0 : channel)],
            [.. Enumerable.Range(0, single ? 1 : count).Select(channel => new GroupLabel(null, single ? null : channel))],
            slices.ToImmutable())
        {
            Space = norm.Space,
        };
    }

    /// <summary>
    /// What a weight takes part with. Where each expert has channels of its own they follow each other; where all share them, columns
    /// serve for all rows, and rows are repeated.
    /// </summary>
    /// <param name="axis">The weight's axis.</param>
    /// <param name="exponent">Its exponent.</param>
    /// <param name="shared">True where all experts share the channels.</param>
    private static ScaledAxis Slice(WeightAxis axis, int exponent, bool shared)
    {
        // A bias of a stack is a matrix of a row for each expert, whose channels are its columns.
        bool columns = axis.Experts is null ? axis.Axis == 1 : axis.IsBias || axis.Axis == 2;
        if (axis.Experts is not { } experts || (columns && shared))
            return new ScaledAxis(axis.Tensor, columns ? 1 : 0, exponent, axis.IsBias, [new ChannelRun(axis.Start, 0, axis.Count)]);
        return new ScaledAxis(
            axis.Tensor, columns ? 1 : 0, exponent, axis.IsBias,
            [
                .. Enumerable.Range(0, experts)
                    .Select(expert => new ChannelRun((expert * axis.Length) + axis.Start, shared ? 0 : expert * axis.Count, axis.Count)),
            ])
        {
            Parts = columns ? experts : 1,
        };
    }
}
