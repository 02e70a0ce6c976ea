using System.Text.Json.Nodes;

namespace Wisca.Core.Tests.Architectures;

/// <summary>
/// A tiny model of a family, described by the test alone: tensor names, shapes, fused layout and what attention computes. Nothing here
/// looks at the tables under test.
/// </summary>
/// <param name="Name">The variant's name.</param>
/// <param name="ModelType">Its <c>model_type</c>.</param>
internal sealed record TinyFamily(string Name, string ModelType)
{
    /// <summary>
    /// The configuration but for model_type, with ' for ", {L} for the number of layers, {D} for the hidden size, {H} for heads, {KV} for
    /// kv heads and {d} for head_dim.
    /// </summary>
    public string Config { get; init; } = "'num_hidden_layers':{L},'hidden_size':{D},'num_attention_heads':{H},'num_key_value_heads':{KV}";

    /// <summary>True where it differs from another variant only in how the configuration says the same:
    /// the finest granularity is enough.</summary>
    public bool ConfigurationOnly { get; init; }

    /// <summary>What stands in front of the layer's index.</summary>
    public string Stem { get; init; } = "model.layers.";

    public int Layers { get; init; } = 2;

    public int Hidden { get; init; } = 16;

    public int Heads { get; init; } = 4;

    public int KvHeads { get; init; } = 2;

    public int HeadDim { get; init; } = 4;

    public FusedKind Fused { get; init; }

    public string Q { get; init; } = "self_attn.q_proj";

    public string K { get; init; } = "self_attn.k_proj";

    public string V { get; init; } = "self_attn.v_proj";

    public string Qkv { get; init; } = "";

    public string O { get; init; } = "self_attn.o_proj";

    /// <summary>True for matrices stored [in, out].</summary>
    public bool Transposed { get; init; }

    public bool Bias { get; init; }

    public bool OutputBias { get; init; }

    public PairKind Pairs { get; init; } = PairKind.Half;

    /// <summary>Number of rotated channels, at the head's start.</summary>
    public int RotaryDims { get; init; } = 4;

    public int[] LayersWithoutRope { get; init; } = [];

    public HeadNorm Norm { get; init; }

    /// <summary>The norms' names, with ? for q or k.</summary>
    public string NormName { get; init; } = "self_attn.?_norm";

    /// <summary>Queries, keys and values are clamped to plus and minus this.</summary>
    public double? Clip { get; init; }

    /// <summary>Logits pass through c tanh(z / c).</summary>
    public double? SoftCap { get; init; }

    public bool Alibi { get; init; }

    /// <summary>A learned logit for each head that takes weight and gives no value; the tensor's name.</summary>
    public string? Sinks { get; init; }

    /// <summary>The layer's other tensors: name:shape, D for the hidden size, F for the MLP's width.</summary>
    public string[] Others { get; init; } = ["input_layernorm.weight:D", "post_attention_layernorm.weight:D", .. GatedMlp];

    /// <summary>Layers that have something else in the place of attention.</summary>
    public int[] LayersWithoutAttention { get; init; } = [];

    /// <summary>The tensors of such a layer, as <see cref="Others"/>.</summary>
    public string[] InsteadOfAttention { get; init; } = [];

    /// <summary>True where the query projection holds a gate of as many channels behind each head's queries.</summary>
    public bool GatedQueries { get; init; }

    /// <summary>A part of the reason for which QK is refused; null where it is exact.</summary>
    public string? QueryKeyRefused { get; init; }

    /// <summary>The same for VO.</summary>
    public string? ValueOutputRefused { get; init; }

    public static string[] GatedMlp => ["mlp.gate_proj.weight:F,D", "mlp.up_proj.weight:F,D", "mlp.down_proj.weight:D,F"];

    public override string ToString() => Name;

    public string LayerName(int layer) => $"{Stem}{layer}.";

    public bool Rotates(int layer) => Pairs != PairKind.None && RotaryDims > 0 && !LayersWithoutRope.Contains(layer);

    public string ConfigJson()
    {
        string text = Config.Replace('\'', '"').Replace("{L}", $"{Layers}").Replace("{D}", $"{Hidden}").Replace("{H}", $"{Heads}")
            .Replace("{KV}", $"{KvHeads}").Replace("{d}", $"{HeadDim}");
        var config = JsonNode.Parse("{" + text + "}")!.AsObject();
        config["model_type"] = ModelType;
        return config.ToJsonString();
    }

    /// <summary>The first row of a head's queries ('q'), keys ('k') or values ('v') in its matrix.</summary>
    public int RowOf(char role, int head)
    {
        int d = HeadDim, group = Heads / KvHeads;
        switch (Fused)
        {
            case FusedKind.Separate:
                return head * (GatedQueries && role == 'q' ? 2 * d : d);
            case FusedKind.Concatenated:
                return (head * d) + (role == 'q' ? 0 : role == 'k' ? Heads * d : (Heads + KvHeads) * d);
            case FusedKind.PerHead:
                return ((3 * head) + "qkv".IndexOf(role)) * d;
            case FusedKind.Grouped:
                return role == 'q'
                    ? ((head / group * (group + 2)) + (head % group)) * d
                    : ((head * (group + 2)) + group + (role == 'k' ? 0 : 1)) * d;
            case FusedKind.CodeGen:
                int quarter = Heads / 4, local = quarter * d;
                return (3 * (head / quarter) * local) + ("qvk".IndexOf(role) * local) + (head % quarter * d);
            default:
                throw new InvalidOperationException();
        }
    }

    /// <summary>The module that holds a role, and its number of output channels.</summary>
    public (string Module, int Rows) ModuleOf(char role) => Fused != FusedKind.Separate
        ? (Qkv, (Heads + (2 * KvHeads)) * HeadDim)
        : role == 'q' ? (Q, Heads * HeadDim * (GatedQueries ? 2 : 1)) : (role == 'k' ? K : V, KvHeads * HeadDim);

    /// <summary>Every tensor of a layer with its shape.</summary>
    public IEnumerable<(string Name, int[] Shape)> LayerTensors(int layer)
    {
        if (LayersWithoutAttention.Contains(layer))
        {
            foreach (string tensor in InsteadOfAttention) yield return Shaped(tensor);
            yield break;
        }

        foreach (var (module, rows) in "qkv".Select(ModuleOf).Distinct())
        {
            yield return (module + ".weight", Transposed ? [Hidden, rows] : [rows, Hidden]);
            if (Bias) yield return (module + ".bias", [rows]);
        }

        yield return (O + ".weight", Transposed ? [Heads * HeadDim, Hidden] : [Hidden, Heads * HeadDim]);
        if (OutputBias) yield return (O + ".bias", [Hidden]);
        foreach (char role in "qk")
        {
            string norm = NormName.Replace('?', role);
            int heads = role == 'q' ? Heads : KvHeads;
            switch (Norm)
            {
                case HeadNorm.RmsPerHead or HeadNorm.RmsPerHeadPlusOne:
                    yield return (norm + ".weight", [HeadDim]);
                    break;
                case HeadNorm.RmsWhole:
                    yield return (norm + ".weight", [heads * HeadDim]);
                    break;
                case HeadNorm.LayerNormHeads:
                    yield return (norm + ".weight", [heads, HeadDim]);
                    break;
                case HeadNorm.LayerNormShared:
                    yield return (norm + ".weight", [HeadDim]);
                    yield return (norm + ".bias", [HeadDim]);
                    break;
                case HeadNorm.LayerNormEach:
                    for (int head = 0; head < heads; head++) yield return ($"{norm}.norms.{head}.weight", [HeadDim]);
                    break;
            }
        }

        if (Sinks is not null) yield return (Sinks, [Heads]);
        foreach (string other in Others) yield return Shaped(other);

        (string, int[]) Shaped(string tensor)
        {
            string[] parts = tensor.Split(':');
            return (parts[0], [.. parts[1].Split(',').Select(size => size == "D" ? Hidden : size == "F" ? Hidden + 4 : int.Parse(size))]);
        }
    }
}
