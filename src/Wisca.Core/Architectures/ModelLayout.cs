using System.Collections.Immutable;
using System.IO.Enumeration;
using System.Text.Json;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Safetensors;

namespace Wisca.Architectures;

/// <summary>An architecture table resolved against a checkpoint: sizes, and every layer's attention down to the row.</summary>
/// <param name="Table">The table.</param>
/// <param name="Prefix">Which of the table's prefixes the checkpoint uses.</param>
/// <param name="HiddenSize">Width of the residual stream.</param>
/// <param name="Heads">Number of query heads.</param>
/// <param name="KvHeads">Number of key/value heads.</param>
/// <param name="HeadDim">Channels per head.</param>
/// <param name="RopePairs">How RoPE pairs channels where it acts.</param>
/// <param name="Layers">The layers in order.</param>
/// <param name="Notes">What the reader should know but what breaks nothing.</param>
public sealed record ModelLayout(
    ArchitectureTable Table,
    string Prefix,
    int HiddenSize,
    int Heads,
    int KvHeads,
    int HeadDim,
    RopePairs RopePairs,
    ImmutableArray<AttentionLayer> Layers,
    ImmutableArray<string> Notes)
{
    /// <summary>Every weight with the spaces that its axes lie in.</summary>
    public required ModelMap Map { get; init; }

    /// <summary>Why the residual stream has a basis of its own; null where it has none that the table knows of.</summary>
    public string? StreamRefusal { get; init; }

    /// <summary>True where a gate for each channel stands between attention and the output projection: factors pass it, no matrix
    /// does.</summary>
    public bool GatesValues { get; init; }

    /// <summary>Channels of a head's values.</summary>
    public int ValueDim { get; init; } = HeadDim;

    /// <summary>What an exchange needs to know of it.</summary>
    public AttentionGeometry Geometry => new(KvHeads, HeadDim, RopePairs, ValueDim == HeadDim ? null : ValueDim);

    /// <summary>Resolves a table against a checkpoint. Reads headers only.</summary>
    /// <param name="checkpoint">The opened model folder.</param>
    /// <param name="table">The table, or null to find the built-in one by <c>model_type</c>.</param>
    /// <exception cref="WiscaException">The model type is unknown, or sizes, names and shapes do not fit each other.</exception>
    public static ModelLayout Resolve(Checkpoint checkpoint, ArchitectureTable? table = null)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        return Resolve(checkpoint.Config, checkpoint.Tensors.Select(tensor => tensor.Info), table);
    }

    /// <summary>Resolves a table against the names, types and shapes of a model's tensors, wherever they are.</summary>
    /// <param name="config">The model's configuration.</param>
    /// <param name="tensors">Its tensors.</param>
    /// <param name="table">The table, or null to find the built-in one by <c>model_type</c>.</param>
    /// <exception cref="WiscaException">The model type is unknown, or sizes, names and shapes do not fit each other.</exception>
    public static ModelLayout Resolve(ModelConfig config, IEnumerable<TensorInfo> tensors, ArchitectureTable? table = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(tensors);
        return new Resolver(TextModel.Find(config, table), tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal)).Resolve();
    }

    private sealed class Resolver(TextModel text, Dictionary<string, TensorInfo> tensors)
    {
        private readonly ModelConfig _config = text.Config;
        private readonly ArchitectureTable _table = text.Table;
        private readonly WeightNames _weights = new(text.Table.LayerWeights, text.Table.Buffers);
        private int _hidden, _heads, _kvHeads, _headDim, _valueDim, _sharedDim;

        public ModelLayout Resolve()
        {
            var sizes = ModelSizes.Read(text);
            (int layers, _hidden, _heads, _kvHeads, _headDim, var pairs, int rotaryDims) = sizes;
            (_valueDim, _sharedDim) = (sizes.ValueDim, sizes.SharedDim);
            if (layers > tensors.Count)
                throw Wrong(
                    $"{layers} layers in a checkpoint of {tensors.Count} tensors",
                    "the configuration and the weights do not belong together");
            var attention = ModelSizes.Attention(text);
            bool[] rotates = RotatingLayers(layers);
            string prefix = FindPrefix(attention, _table.WithoutAttention is null ? 1 : layers);

            var others = OthersByLayer(prefix, attention, out int beyond, layers);
            var resolved = ImmutableArray.CreateBuilder<AttentionLayer>(layers);
            for (int layer = 0; layer < layers; layer++)
                resolved.Add(ResolveLayer(prefix, attention, layer, rotates[layer] ? rotaryDims : 0, others[layer]));
            var notes = ImmutableArray.CreateBuilder<string>();
            if (text.Outer is not null)
                notes.Add($"a {text.Outer.FindString("model_type")} model around {_table.Name}; transitions are the text model's alone");
            if (ModuleNames.Wrapping(prefix) is { Length: > 0 } wrapping)
                notes.Add(
                    $"names begin with '{wrapping}', as {ModuleNames.WrittenBy(wrapping)} writes them; transformers does not find such "
                    + "tensors");
            if (_sharedDim > 0)
                notes.Add(
                    $"RoPE rotates {_sharedDim} channels beside the {_headDim} of each head, against one key for all heads; they are left "
                    + "as they are");
            if (beyond > 0)
                notes.Add($"{beyond} tensors belong to layers beyond the {layers} of the configuration; they are left as they are");
            if ((text.Outer ?? _config).Find("auto_map") is not null)
                notes.Add($"the model names code of its own (auto_map); the table of {_table.Name} describes the published one");
            return new ModelLayout(_table, prefix, _hidden, _heads, _kvHeads, _headDim, pairs, resolved.ToImmutable(), notes.ToImmutable())
            {
                ValueDim = _valueDim,
                GatesValues = attention.GatedQ == true || attention.Gate is not null,
                Map = new MapResolver(text, tensors, attention, prefix, layers).Resolve(),
                StreamRefusal = _table.Refuse
                    .FirstOrDefault(rule => rule.Stream && (rule.When?.Holds(
                        _config, pattern => others.Any(names => names.Any(name => Matches(pattern, name)))) ?? true))?.Reason,
            };
        }

        private string LayerName(string prefix, int layer) => LayerNames.Of(_table, prefix)[layer];

        private bool[] RotatingLayers(int layers)
        {
            bool[] rotates = new bool[layers];
            Array.Fill(rotates, true);
            if (_table.Rope.Layers is not { } rule) return rotates;
            if (_config.Find(rule.Key) is { } list)
            {
                if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() < layers)
                    throw Wrong($"{rule.Key} is not a list of at least {layers} entries", "it needs one entry a layer");
                for (int layer = 0; layer < layers; layer++)
                {
                    if (list[layer].ValueKind != rule.Without.ValueKind)
                        throw Wrong(
                            $"{rule.Key}[{layer}] is {list[layer].GetRawText()}",
                            $"expected {rule.Without.GetRawText()} for a layer without RoPE, "
                            + $"or another {rule.Without.ValueKind.ToString().ToLowerInvariant()}");
                    rotates[layer] = !JsonElement.DeepEquals(list[layer], rule.Without);
                }
            }
            else if (((rule.IntervalKey is { } key ? _config.FindInt(key) : null) ?? rule.IntervalDefault) is { } interval)
            {
                for (int layer = interval - 1; layer < layers; layer += interval) rotates[layer] = false;
            }

            return rotates;
        }

        /// <summary>
        /// The prefix under which the first layer's query projection (or anything in its place) is stored: one of the table's, behind what
        /// a wrapper calls its text model, behind what a training framework adds.
        /// </summary>
        /// <param name="attention">The layout.</param>
        /// <param name="layers">Among how many layers to look for one that has attention.</param>
        private string FindPrefix(AttentionTable attention, int layers)
        {
            string module = attention.Qkv?.Tensor ?? attention.Q!;
            string[] found =
            [
                .. (
                    from wrapping in tensors.Keys.Select(ModuleNames.Wrapping).Distinct(StringComparer.Ordinal)
                    from stem in TextModel.Stems
                    from prefix in _table.Prefixes
                    select wrapping + stem + prefix
                ).Distinct(StringComparer.Ordinal)
                    .Where(prefix => Enumerable.Range(0, layers).Any(layer => HasModule(LayerName(prefix, layer) + module))),
            ];
            if (found.Length == 1) return found[0];
            string names = string.Join(" or ", _table.Prefixes.Select(prefix => $"'{LayerName(prefix, 0)}{module}.weight'"));
            throw found.Length == 0
                ? new WiscaException(
                    $"the checkpoint has no tensor {names}, which a {_table.Name} model has",
                    "is model_type right? a table of your own is given with --architecture file.json")
                : new WiscaException(
                    "the checkpoint has more than one of "
                    + string.Join(" and ", found.Select(prefix => $"'{LayerName(prefix, 0)}{module}.weight'")),
                    "which of them is the model cannot be told; split the checkpoint");
        }

        private bool HasModule(string module) =>
            tensors.ContainsKey(module + ".weight") || tensors.Keys.Any(name => name.StartsWith(module + ".", StringComparison.Ordinal));

        /// <summary>The names, relative to their layer, of the tensors that are not attention weights or biases.</summary>
        private List<string>[] OthersByLayer(string prefix, AttentionTable attention, out int beyond, int layers)
        {
            var others = new List<string>[layers];
            for (int layer = 0; layer < layers; layer++) others[layer] = [];
            var names = LayerNames.Of(_table, prefix);
            HashSet<string> modules = [.. attention.Modules];
            beyond = 0;
            foreach (var (name, info) in tensors)
            {
                // What has no elements does nothing (the empty _extra_state of Transformer Engine).
                if (info.ElementCount == 0) continue;
                if (!names.TryParse(name, out int layer, out string? relative)) continue;
                if (layer >= layers)
                {
                    beyond++;
                    continue;
                }

                string module = relative[..Math.Max(0, relative.LastIndexOf('.'))];
                if (
                    !modules.Contains(module)
                    || !(relative.EndsWith(".weight", StringComparison.Ordinal) || relative.EndsWith(".bias", StringComparison.Ordinal)))
                    others[layer].Add(relative);
            }

            // The same message whatever the order in the file.
            foreach (var list in others) list.Sort(StringComparer.Ordinal);
            return others;
        }

        /// <summary>True for a layer with something else in attention's place.</summary>
        /// <exception cref="WiscaException">It has a part of attention's projections that are not declared to be the other's.</exception>
        private bool IsWithoutAttention(string name, AttentionTable attention, List<string> others)
        {
            if (_table.WithoutAttention?.Any(Exists) != true) return false;
            string? missing = attention.Modules.FirstOrDefault(module => !HasModule(name + module));
            if (missing is null) return false;
            if (attention.Modules.All(module => !HasModule(name + module) || _table.LayerWeights.Any(weight =>
                weight.Name == module && weight.When?.Holds(_config, Exists) == true))) return true;
            throw Incomplete($"{name}{missing}.weight");

            bool Exists(string pattern) => others.Any(other => Matches(pattern, other));
        }

        private AttentionLayer ResolveLayer(string prefix, AttentionTable attention, int layer, int rotaryDims, List<string> others)
        {
            string name = LayerName(prefix, layer);
            var refusals = ImmutableDictionary.CreateBuilder<TransitionKind, string>();
            void Refuse(string reason, params IEnumerable<TransitionKind> kinds)
            {
                foreach (var kind in kinds) refusals.TryAdd(kind, reason);
            }

            bool without = IsWithoutAttention(name, attention, others);
            if (without) Refuse("the layer has no attention", (TransitionKind[])[.. AttentionGeometry.Kinds]);

            foreach (var rule in _table.Refuse.Where(rule => rule.Rotating is null || rotaryDims > 0))
            {
                if (rule.When?.Holds(_config, pattern => others.Any(other => Matches(pattern, other))) ?? true)
                    Refuse(rule.Reason, rule.Transitions ?? []);
            }

            // A weight that comes with scales, zero points or low-rank factors is not the matrix that is multiplied with. Reasons name
            // tensors without the layer, so that all layers share one.
            var inParts = new HashSet<string>(StringComparer.Ordinal);
            foreach (string module in attention.Modules)
            {
                string[] parts = [.. others.Where(other => other.StartsWith(module + ".", StringComparison.Ordinal))];
                if (parts.Length == 0) continue;
                inParts.Add(module);
                others.RemoveAll(parts.Contains);
                Refuse(
                    $"{module} comes with {string.Join(", ", parts.Select(part => part[(module.Length + 1)..]))}: packed or adapted "
                    + "weights are not rescaled",
                    KindsOf(attention, module));
            }

            string[] known = [.. _table.Refuse.Select(rule => rule.When?.Tensor).OfType<string>()];
            string? unexpected = without ? null : others.FirstOrDefault(other =>
                !_weights.IsBuffer(other) && _weights.Find(other) is null && !known.Any(pattern => Matches(pattern, other)));
            if (unexpected is not null)
                Refuse(
                    $"tensor '{unexpected}' is not in the table of {_table.Name}: it may act between projection and dot product",
                    (TransitionKind[])[.. AttentionGeometry.Kinds]);

            int outputAxis = attention.Orientation == Orientation.Linear ? 0 : 1;
            int? inputs = WidthOf(attention.From), kvInputs = WidthOf(attention.KvFrom ?? attention.From);
            Projection query, key, value;
            if (attention.Qkv is { } fused)
            {
                (query, key, value) = Fused(fused, inputs, _heads * _headDim);
            }
            else
            {
                query = Separate(
                    attention.Q!, _heads, _headDim + _sharedDim + (attention.GatedQ == true ? _valueDim : 0), inputs,
                    TransitionKind.QueryKey);
                if (attention.Kv is { } both) (_, key, value) = Fused(both, kvInputs, 0);
                else
                {
                    key = Separate(attention.K!, _kvHeads, _headDim, kvInputs, TransitionKind.QueryKey);
                    value = Separate(attention.V!, _kvHeads, _valueDim, kvInputs, TransitionKind.ValueOutput);
                }
            }

            var output = new Projection(Weight(attention.O), null, 1 - outputAxis, Consecutive(_heads, _valueDim));
            CheckWeight(attention.O, 1 - outputAxis, _heads * _valueDim, _hidden, TransitionKind.ValueOutput);
            return new AttentionLayer(layer, query, key, value, output, rotaryDims, refusals.ToImmutable());

            Projection Separate(string module, int heads, int stride, int? width, TransitionKind kind)
            {
                CheckWeight(module, outputAxis, heads * stride, width, kind);
                return new Projection(Weight(module), Bias(module, heads * stride, kind), outputAxis, Consecutive(heads, stride));
            }

            // What stands in attention's place may have projections of its names, which are none of its weights: delta attention does.
            string Weight(string module) => name + module + (without ? "" : ".weight");

            (Projection Query, Projection Key, Projection Value) Fused(FusedTable fused, int? width, int queryRows)
            {
                var (q, k, v) = FusedStarts(fused);
                int rows = queryRows + (_kvHeads * (_headDim + _valueDim));
                CheckWeight(fused.Tensor, outputAxis, rows, width, TransitionKind.QueryKey, TransitionKind.ValueOutput);
                var projection = new Projection(Weight(fused.Tensor), Bias(fused.Tensor, rows), outputAxis, q);
                return (projection, projection with { Starts = k }, projection with { Starts = v });
            }

            // What lies in a latent is as wide as that is.
            int? WidthOf(IReadOnlyList<string>? spaces) =>
                spaces!.All(space => space == ModelMap.Stream || _table.LayerWeights.Any(norm =>
                    norm.Name == space && norm.From is [ModelMap.Stream])) ? _hidden : null;

            string? Bias(string module, int length, params ReadOnlySpan<TransitionKind> kinds)
            {
                string bias = name + module + ".bias";
                if (without || !tensors.TryGetValue(bias, out var info)) return null;
                if (!info.Dtype.IsRescalable())
                    Refuse(
                        $"{module}.bias is stored as {info.Dtype}, which is not rescaled",
                        kinds.IsEmpty ? (TransitionKind[])[.. AttentionGeometry.Kinds] : kinds.ToArray());
                else if (info.Shape.Length != 1 || info.Shape[0] != length) throw Shape(info, $"[{length}]");
                return bias;
            }

            void CheckWeight(string module, int axis, int channels, int? width, params TransitionKind[] kinds)
            {
                string weight = name + module + ".weight";
                if (without) return;
                if (!tensors.TryGetValue(weight, out var info))
                {
                    if (inParts.Contains(module)) return;
                    throw Incomplete(weight);
                }

                if (!info.Dtype.IsRescalable()) Refuse($"{module}.weight is stored as {info.Dtype}, which is not rescaled", kinds);
                else if (info.Shape.Length != 2 || info.Shape[axis] != channels || (width is { } inner && info.Shape[1 - axis] != inner))
                {
                    string other = width?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "any";
                    throw Shape(info, axis == 0 ? $"[{channels}, {other}]" : $"[{other}, {channels}]");
                }
            }
        }

        private static bool Matches(string pattern, string name) =>
            FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false);

        private static TransitionKind[] KindsOf(AttentionTable attention, string module) =>
            module == attention.Qkv?.Tensor || module == attention.Kv?.Tensor ? (TransitionKind[])[.. AttentionGeometry.Kinds]
            : module == attention.V || module == attention.O ? [TransitionKind.ValueOutput]
            : [TransitionKind.QueryKey];

        private static ImmutableArray<int> Consecutive(int heads, int stride) =>
            [.. Enumerable.Range(0, heads).Select(head => head * stride)];

        private (ImmutableArray<int> Query, ImmutableArray<int> Key, ImmutableArray<int> Value) FusedStarts(FusedTable fused)
        {
            int blocks = fused.Blocks == "kv_heads" ? _kvHeads : int.Parse(fused.Blocks);
            if (_heads % blocks != 0 || _kvHeads % blocks != 0)
                throw Wrong(
                    $"{_heads} heads and {_kvHeads} kv heads do not divide into the {blocks} blocks of {fused.Tensor}",
                    $"a {_table.Name} model stores {blocks} equal blocks");
            int queries = _heads / blocks, keys = _kvHeads / blocks;
            var starts = new Dictionary<string, List<int>> { ["q"] = [], ["k"] = [], ["v"] = [] };
            int row = 0;
            for (int block = 0; block < blocks; block++)
            {
                foreach (string role in fused.Order)
                {
                    for (int head = role == "q" ? queries : keys; head > 0; head--, row += role == "v" ? _valueDim : _headDim)
                        starts[role].Add(row);
                }
            }

            return ([.. starts["q"]], [.. starts["k"]], [.. starts["v"]]);
        }

        private WiscaException Incomplete(string tensor) => new(
            $"the checkpoint has no tensor '{tensor}'",
            $"its configuration promises {_table.Name} layers up to it; the checkpoint is incomplete");

        private WiscaException Wrong(string what, string hint) => new($"{_config.File}: {what}", hint);

        private WiscaException Shape(TensorInfo tensor, string expected) => new(
            $"tensor '{tensor.Name}' has shape {tensor.ShapeText}, expected {expected} ({_heads} heads, {_kvHeads} kv heads, head_dim "
            + $"{_headDim}, hidden size {_hidden})",
            $"{_config.File} and the weights do not belong together");
    }
}
