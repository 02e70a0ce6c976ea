using System.Text.Json;
using Wisca.Attention;
using Wisca.Checkpoints;

namespace Wisca.Architectures;

/// <summary>
/// The sizes of a model's attention, read from its configuration as its table says. Whoever needs one of them reads it here, so that
/// the certificate and a forward pass cannot see different numbers. Where two keys say the same thing differently, the model is refused.
/// </summary>
/// <param name="Layers">Number of layers.</param>
/// <param name="HiddenSize">Width of the residual stream.</param>
/// <param name="Heads">Number of query heads.</param>
/// <param name="KvHeads">Number of key/value heads.</param>
/// <param name="HeadDim">Channels per head.</param>
/// <param name="RopePairs">How RoPE pairs channels where it acts.</param>
/// <param name="RotaryDims">Number of rotated channels, at the start of the head; 0 without RoPE.</param>
public sealed record ModelSizes(int Layers, int HiddenSize, int Heads, int KvHeads, int HeadDim, RopePairs RopePairs, int RotaryDims)
{
    /// <summary>Channels of a head's values.</summary>
    public int ValueDim { get; init; } = HeadDim;

    /// <summary>Channels behind each query head's own that RoPE rotates and that meet one key for all heads; 0 for none.</summary>
    public int SharedDim { get; init; }

    /// <summary>Reads the sizes.</summary>
    /// <param name="config">The model's configuration; of a multimodal model, the whole.</param>
    /// <param name="table">The table, or null to find the built-in one by <c>model_type</c>.</param>
    /// <exception cref="WiscaException">The type is not known, or a number is missing, wrong, or stated twice and differently.</exception>
    public static ModelSizes Read(ModelConfig config, ArchitectureTable? table = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        return Read(TextModel.Find(config, table));
    }

    internal static ModelSizes Read(TextModel text) => new SizeReader(text).Read();

    /// <summary>The layout of the attention tensors whose condition holds.</summary>
    internal static AttentionTable Attention(TextModel text) =>
        text.Table.Attention.First(layout => layout.When?.Holds(text.Config, _ => false) ?? true);

    private sealed class SizeReader(TextModel text)
    {
        private static readonly string[] ShareKeys = ["partial_rotary_factor", "rotary_pct", "rope_pct"];

        // What families call the same number, each family one of them. Files that programs converted have several.
        private static readonly string[][] Synonyms =
        [
            ["num_hidden_layers", "n_layer", "n_layers", "num_layers"],
            ["hidden_size", "n_embd", "n_embed", "d_model"],
            ["num_attention_heads", "n_head", "n_heads", "num_heads"],
            ["num_key_value_heads", "num_kv_heads", "n_head_kv", "n_kv_heads"],
            ["intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size"],
            ["max_position_embeddings", "n_positions"],
            ["rms_norm_eps", "layer_norm_epsilon", "layer_norm_eps", "layernorm_epsilon", "norm_eps", "norm_epsilon"],
        ];

        private readonly ModelConfig _config = text.Config;
        private readonly ArchitectureTable _table = text.Table;
        private int _hidden, _heads, _headDim;

        public ModelSizes Read()
        {
            // A wrapper's own hidden_size is its projector's; that of the text model is held against the shapes.
            _hidden = Number(_table.Config.HiddenSize, "hidden size", mayDifferOutside: true);
            _heads = Number(_table.Config.Heads, "number of heads");
            _headDim = Number(_table.Config.HeadDim, "head_dim");
            int layers = Number(_table.Config.Layers, "number of layers", listsCount: true);
            var attention = Attention(text);
            int kvHeads = Number(attention.KvHeads, "number of kv heads");
            const int most = 1 << 24;
            if ((long)_heads * _headDim > most)
                throw Wrong($"{_heads} heads of {_headDim} channels, expected at most {most} channels", "mend the configuration");
            if (_heads % kvHeads != 0)
                throw Wrong(
                    $"{_heads} query heads cannot share {kvHeads} kv heads evenly",
                    "the number of heads must be a multiple of the number of kv heads");

            // Where the channels of a head have numbers of their own, head_dim is any of them.
            if (attention.SharedDim is null) CheckUnread("head_dim", _headDim, "head_dim");

            // A switch such as multi_query and the number that it stands for.
            if (attention is { When.Key: not null, KvHeads.Keys.Count: 0 })
                CheckUnread("num_key_value_heads", kvHeads, "number of kv heads");
            var pairs = _table.Rope.Unless?.Holds(_config, _ => false) == true ? RopePairs.None : _table.Rope.Pairs;
            CheckSynonyms();
            CheckRope();
            return new ModelSizes(layers, _hidden, _heads, kvHeads, _headDim, pairs, pairs == RopePairs.None ? 0 : RotaryDims())
            {
                ValueDim = attention.ValueDim is { } values ? Number(values, "channels of a head's values") : _headDim,
                SharedDim = attention.SharedDim is { } shared ? Number(shared, "channels with RoPE") : 0,
            };
        }

        private int Number(NumberTable number, string what, bool mayDifferOutside = false, bool listsCount = false)
        {
            // A list with an entry a layer says how many there are.
            string[] lists = [.. number.Keys.Where(key => listsCount && _config.Find(key) is { ValueKind: JsonValueKind.Array })];
            int? given = _config.FindInt([.. number.Keys.Except(lists)]);
            foreach (string key in lists)
            {
                int length = _config.Find(key)!.Value.GetArrayLength();
                if (given is { } other && other != length)
                    throw Wrong($"{what} is {other}, but {key} has {length} entries", "one of the two is wrong");
                given = length;
            }

            if (given is { } stated)
            {
                if (!mayDifferOutside) CheckOutside(number.Keys, stated);
                return stated;
            }

            string? standIn = number.IfNull is not null && number.Keys.Any(_config.IsNull) ? number.IfNull : number.Default;
            switch (standIn)
            {
                case null: throw Wrong($"no {string.Join(" or ", number.Keys)} ({what})", $"a {_table.Name} model needs it");
                case "heads": return _heads;
                case "head_dim": return _headDim;
                case "hidden_size / heads":
                    if (_hidden % _heads != 0) throw Wrong($"hidden size {_hidden} is not a multiple of {_heads} heads", "give head_dim");
                    return _hidden / _heads;
                default: return int.Parse(standIn);
            }
        }

        private int RotaryDims()
        {
            int dims = _headDim;
            if (_table.Rope.Dims is { } number) dims = Number(number, "rotary dims");
            if (_table.Rope.Factor is { } factor)
            {
                string[] keys = [.. factor.Keys.SelectMany(Spellings)];
                double? stated = _config.FindNumber(keys);
                if (stated is { } share) CheckOutside(keys, share);
                dims = (int)(_headDim * (stated ?? factor.Default));
            }

            if (dims < 0 || dims > _headDim || dims % 2 != 0)
                throw Wrong($"{dims} rotary channels in heads of {_headDim}", "expected an even number of at most head_dim");
            foreach (string key in ShareKeys.Concat(["rope_parameters.partial_rotary_factor"]).SelectMany(Spellings))
            {
                // Where frequencies are proportional, those of the rest are 0, and pairs lie as if all rotated.
                bool proportional = key.LastIndexOf('.') is > 0 and var end
                    && _config.FindString($"{key[..end]}.rope_type") == "proportional";
                if (!proportional && _config.FindNumber(key) is { } share && (int)(_headDim * share) != dims)
                    throw Differs(key, share, $"a {_table.Name} model with this configuration rotates {dims} of {_headDim} channels");
            }

            CheckUnread("rotary_dim", dims, "number of rotated channels");
            return dims;
        }

        /// <summary>The places where a number of RoPE may stand: newer files have a section, or one for each kind of layer.</summary>
        private IEnumerable<string> Spellings(string key)
        {
            const string section = "rope_parameters", older = "rope_scaling";
            yield return key;
            if (!key.StartsWith(section + ".", StringComparison.Ordinal)) yield break;
            string name = key[(section.Length + 1)..];
            yield return $"{older}.{name}";
            if (_config.Find(section) is not { ValueKind: JsonValueKind.Object } parameters) yield break;
            foreach (var kind in parameters.EnumerateObject().Where(entry => entry.Value.ValueKind == JsonValueKind.Object))
                yield return $"{section}.{kind.Name}.{name}";
        }

        /// <summary>Which spelling rules is the family's matter; that there are two numbers is wrong in any.</summary>
        private void CheckSynonyms()
        {
            foreach (string[] spellings in Synonyms)
            {
                var stated = spellings
                    .Select(key => (Key: key, Value: _config.Find(key)))
                    .Where(entry => entry.Value is { ValueKind: JsonValueKind.Number })
                    .ToList();
                foreach (var (key, value) in stated.Skip(1))
                {
                    if (value!.Value.GetDouble() != stated[0].Value!.Value.GetDouble())
                        throw _config.Conflict(stated[0].Key, stated[0].Value!.Value, key, value.Value);
                }
            }
        }

        /// <summary>Numbers of RoPE that no size depends on, but the function does.</summary>
        private void CheckRope()
        {
            _config.FindNumber(
                ["rope_theta", "rotary_emb_base", "rope_parameters.rope_theta", "rope_scaling.rope_theta",
                    "rope_parameters.full_attention.rope_theta"]);
            _config.FindNumber(["rope_local_base_freq", "rope_parameters.sliding_attention.rope_theta"]);
            CheckRopeTypes();
            if (
                _config.Find("rope_scaling") is not { ValueKind: JsonValueKind.Object } scaling
                || _config.Find("rope_parameters") is not { ValueKind: JsonValueKind.Object } parameters)
                return;
            foreach (var entry in scaling.EnumerateObject())
            {
                if (
                    entry.Value.ValueKind == JsonValueKind.Number && parameters.TryGetProperty(entry.Name, out var other)
                    && other.ValueKind == JsonValueKind.Number && !JsonElement.DeepEquals(entry.Value, other))
                    throw _config.Conflict($"rope_scaling.{entry.Name}", entry.Value, $"rope_parameters.{entry.Name}", other);
            }
        }

        /// <summary>How RoPE is stretched, by either key of either section.</summary>
        private void CheckRopeTypes()
        {
            (string Key, string Type)? first = null;
            foreach (string section in (string[])["rope_scaling", "rope_parameters"])
            {
                // A section for each kind of layer has types of its own.
                if (
                    _config.Find(section) is not { ValueKind: JsonValueKind.Object } content
                    || content.EnumerateObject().Any(entry => entry.Value.ValueKind == JsonValueKind.Object))
                    continue;
                var stated = ((string[])["rope_type", "type"])
                    .Select(name => (Key: $"{section}.{name}", Type: _config.FindString($"{section}.{name}")!))
                    .Where(entry => entry.Type is not null)
                    .DefaultIfEmpty((Key: $"{section}.rope_type", Type: "default"));
                foreach (var entry in stated)
                {
                    if (first is { } other && Known(other.Type) != Known(entry.Type))
                        throw _config.Conflict(other.Key, $"'{other.Type}'", entry.Key, $"'{entry.Type}'");
                    first ??= entry;
                }
            }

            // Older names: Phi-3's, and Qwen2-VL's for positions of three parts that are not stretched.
            static string Known(string type) => type switch { "su" => "longrope", "mrope" => "default", _ => type };
        }

        /// <summary>A key that the family does not read must at least not contradict what it has.</summary>
        private void CheckUnread(string key, int actual, string what)
        {
            if (_config.FindInt(key, 0) is { } stated && stated != actual)
                throw Differs(key, stated, $"the {what} of a {_table.Name} model with this configuration is {actual}");
        }

        private void CheckOutside<T>(IReadOnlyList<string> keys, T inner)
            where T : struct, IConvertible
        {
            if (text.Outer is null) return;
            foreach (string key in keys)
            {
                if (
                    text.Outer.Find(key) is { ValueKind: JsonValueKind.Number } outer
                    && outer.GetDouble() != inner.ToDouble(System.Globalization.CultureInfo.InvariantCulture))
                    throw text.Outer.Conflict(key, outer, $"{_config.File[(text.Outer.File.Length + 1)..]}.{key}", inner);
            }
        }

        private WiscaException Differs(string key, double stated, string actual) => Wrong(
            string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{key} is {stated}, but {actual}"),
            "take out the key that does not hold");

        private WiscaException Wrong(string what, string hint) => new($"{_config.File}: {what}", hint);
    }
}
