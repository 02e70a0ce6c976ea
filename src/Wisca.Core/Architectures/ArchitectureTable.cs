using System.Text.Json;
using System.Text.Json.Serialization;
using Wisca.Checkpoints;
using Wisca.Files;

namespace Wisca.Architectures;

/// <summary>
/// What Wisca knows of a model family, as data: where the attention tensors are, how fused ones interleave, how RoPE pairs the
/// channels, and what breaks a transition. Read from strict JSON; see docs/adding-an-architecture.md.
/// </summary>
/// <param name="Name">The family's name.</param>
/// <param name="ModelTypes">Values of <c>model_type</c> in <c>config.json</c> that it covers.</param>
/// <param name="Description">Which public models these are.</param>
/// <param name="Prefixes">What may stand in front of every layer's name; base models are often saved without it.</param>
/// <param name="Layer">The layer's part of a name, with <c>${layer}</c> for its index.</param>
/// <param name="Config">Where the sizes are in the configuration.</param>
/// <param name="Attention">The layouts of the attention tensors; the first whose condition holds is used.</param>
/// <param name="Rope">How rotary embeddings pair the channels of a head.</param>
/// <param name="Refuse">What breaks a transition.</param>
/// <param name="ModelWeights">The weights outside of the layers. Names are relative to the prefix.</param>
/// <param name="LayerWeights">
/// The other weights of a layer. A tensor that neither these, nor the buffers, nor a refusal's condition know may act between projection
/// and dot product, so its layer is refused.
/// </param>
/// <param name="Buffers">Patterns (<c>*</c> stands for anything) of tensors that are saved but are no weights: masks, inverse
/// frequencies.</param>
/// <param name="Wrappers">
/// Values of <c>model_type</c> of multimodal models whose text part is of this family where they do not say of which: they have its sizes
/// at the top level, or under a <c>text_config</c> without a <c>model_type</c>.
/// </param>
/// <param name="TextDefaults">
/// What stands for keys that a <c>text_config</c> leaves out, because they are those of the configuration class of <c>name</c>.
/// </param>
/// <param name="WithoutAttention">
/// Patterns of tensors that stand where other layers have attention (state space models, convolutions, linear attention). A layer that
/// has one of them and lacks projections of attention has nothing to exchange. Projections that it has all the same are its own: they are
/// among the layer's weights, on a condition.
/// </param>
public sealed record ArchitectureTable(
    string Name,
    IReadOnlyList<string> ModelTypes,
    string Description,
    IReadOnlyList<string> Prefixes,
    string Layer,
    ConfigTable Config,
    IReadOnlyList<AttentionTable> Attention,
    RopeTable Rope,
    IReadOnlyList<RefusalTable> Refuse,
    IReadOnlyList<WeightTable> ModelWeights,
    IReadOnlyList<WeightTable> LayerWeights,
    IReadOnlyList<string> Buffers,
    IReadOnlyList<string>? Wrappers = null,
    IReadOnlyDictionary<string, int>? TextDefaults = null,
    IReadOnlyList<string>? WithoutAttention = null)
{
    /// <summary>Reads a table of the user's own.</summary>
    /// <exception cref="WiscaException">The file is missing, not JSON, or has an unknown, missing or contradictory field.</exception>
    public static ArchitectureTable Load(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return Parse(TextFile.ReadBytes(path, "check the path given to --architecture").Span, Path.GetFileName(path));
    }

    /// <summary>Parses a table strictly: unknown fields, missing fields and duplicates are errors.</summary>
    /// <param name="json">UTF-8 JSON.</param>
    /// <param name="file">The file's name for error messages.</param>
    /// <exception cref="WiscaException">The table is not valid.</exception>
    public static ArchitectureTable Parse(ReadOnlySpan<byte> json, string file)
    {
        const string hint = "the built-in tables show the format: wisca architectures --json llama";
        try
        {
            if (json.StartsWith("\uFEFF"u8)) json = json[3..];
            var table = TableReader.ReadTable(json.ToArray())
                ?? throw new WiscaException($"{file}: null is not an architecture table", hint);
            string? wrong = table.Check();
            return wrong is null ? table : throw new WiscaException($"{file}: {wrong}", hint);
        }
        catch (JsonException exception)
        {
            throw new WiscaException($"{file}: {JsonFile.Reason(exception)}", hint, exception);
        }
    }

    /// <summary>The table as JSON, in the form that <see cref="Parse"/> reads.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, ArchitectureJson.Default.ArchitectureTable);

    /// <summary>True where the table is for this <c>model_type</c>.</summary>
    internal bool Covers(string modelType) => ModelTypes.Contains(modelType, StringComparer.OrdinalIgnoreCase);

    /// <summary>True where a model of this <c>model_type</c> keeps a text model of the family that it need not name.</summary>
    internal bool Wraps(string modelType) => Wrappers?.Contains(modelType, StringComparer.OrdinalIgnoreCase) == true;

    private string? Check()
    {
        const string index = "${layer}";
        string?[] texts =
        [
            Name,
            .. ModelTypes,
            .. Prefixes,
            .. Wrappers ?? [],
            .. WithoutAttention ?? [],
            .. Buffers,
            .. Refuse.Select(rule => rule?.Reason),
            .. ModelWeights.Concat(LayerWeights).Select(weight => weight?.Name),
            .. ModelWeights.Concat(LayerWeights).SelectMany(weight => weight?.Parts ?? []),
            .. Attention.Select(layout => layout?.O),
        ];
        if (texts.Contains(null)) return "null stands in a list";
        if (Name.Length == 0) return "name is empty";
        if (ModelTypes.Count == 0 || ModelTypes.Contains("")) return "model_types is empty, or has an empty entry";
        if (Prefixes.Count == 0) return "prefixes is empty; give [\"\"] for none";
        int at = Layer.IndexOf(index, StringComparison.Ordinal);
        if (at < 0 || Layer.LastIndexOf(index, StringComparison.Ordinal) != at || Layer.IndexOf('.', at) != at + index.Length)
            return $"layer must contain {index}. once, with a dot behind it";
        foreach (var list in (IReadOnlyList<string>[])
            [
                ModelTypes, Prefixes, Wrappers ?? [], Buffers, WithoutAttention ?? [],
                Names(ModelWeights),
                [.. Names(LayerWeights).Concat(Attention.SelectMany(layout => layout.Modules).Distinct())],
            ])
        {
            if (list.Distinct(StringComparer.Ordinal).Count() != list.Count)
                return $"'{list.GroupBy(entry => entry).First(entries => entries.Count() > 1).Key}' stands twice in a list";
        }

        if (TextDefaults?.FirstOrDefault(entry => entry.Key.Length == 0 || entry.Value < 1) is { Key: not null } wrong)
            return $"text_defaults: {wrong.Value} for '{wrong.Key}', expected a number from 1";
        if (Attention.Count == 0) return "attention is empty";
        if (Attention[^1].When is not null) return "the last layout of attention must have no condition (\"when\")";
        if (Attention.SkipLast(1).Any(layout => layout.When is null))
            return "a layout of attention without a condition hides those behind it";
        foreach (var weights in (IReadOnlyList<WeightTable>[])[ModelWeights, LayerWeights])
        {
            if (weights.Where((weight, index) =>
                weight.When is not null && weights.Take(index).Any(other => other.When is null && other.Name == weight.Name)).Any())
                return "a weight without a condition hides one of the same name behind it";
        }

        var gates = Attention.Select(layout => layout.Gate).OfType<string>();
        if (gates.FirstOrDefault(gate => LayerWeights.All(weight => weight.Name != gate)) is { } unknown)
            return $"gate '{unknown}' of attention is none of layer_weights";
        return Config.Check()
            ?? FirstWrong(Attention.Select(layout => layout.Check()))
            ?? Rope.Check()
            ?? FirstWrong(Refuse.Select(rule => rule.Check()))
            ?? FirstWrong(ModelWeights.Select(weight => weight.Check("model_weights")))
            ?? FirstWrong(LayerWeights.Select(weight => weight.Check("layer_weights")))
            ?? WeightSpaces.Check(this);

        // A name may mean one thing under a condition and another without.
        static IReadOnlyList<string> Names(IReadOnlyList<WeightTable> weights) =>
            [.. weights.Where(weight => weight.When is null).Select(weight => weight.Name)];

        static string? FirstWrong(IEnumerable<string?> checks) => checks.FirstOrDefault(wrong => wrong is not null);
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    WriteIndented = true)]
[JsonSerializable(typeof(ArchitectureTable))]
internal sealed partial class ArchitectureJson : JsonSerializerContext;
