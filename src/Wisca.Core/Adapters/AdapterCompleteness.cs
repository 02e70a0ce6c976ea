using System.Text.RegularExpressions;
using Wisca.Checkpoints;

namespace Wisca.Adapters;

/// <summary>
/// Compares what an adapter's configuration names in a base with what the adapter holds. Only what PEFT would have adapted in every case
/// counts: not parts of a model that the adapter's model may not have had (towers for other media, layers for drafts, heads), nor the
/// experts and routers of mixtures, which are modules in one generation of transformers and parameters in the next.
/// </summary>
internal sealed partial class AdapterCompleteness(
    Adapter adapter, Checkpoint checkpoint, TiedHead? tied, IEnumerable<(string Adapter, string Base)> spellings)
{
    private const int Listed = 3;
    private const string Weight = ".weight";

    private static readonly string[] Tables =
    [
        "embed_tokens", "wte", "wpe", "embed_in", "word_embeddings", "tok_embeddings", "embed_positions", "relative_attention_bias",
    ];

    private static readonly string[] LayerCounts = ["num_hidden_layers", "n_layer", "num_layers", "n_layers"];
    private static readonly string[] Sections = ["", "text_config.", "llm_config.", "language_config."];

    private readonly AdapterConfig _config = adapter.Config;
    private readonly (string Adapter, string Base)[] _spellings = [.. spellings.OrderByDescending(pair => pair.Base.Length)];

    /// <summary>What is missing, in words; null where nothing is.</summary>
    public string? Missing(IEnumerable<BoundModule> bound)
    {
        var present = adapter.Modules.Select(module => module.Name).ToHashSet(StringComparer.Ordinal);
        var adapted = bound.Where(module => module.Module.Expert is null).Select(module => module.Weight.Info.Name).ToHashSet();
        var trees = present
            .Concat(adapter.Parameters.Select(entry => entry.Module))
            .Select(ModuleNames.Canonical)
            .Select(name => name.Split('.')[0])
            .ToHashSet(StringComparer.Ordinal);
        bool mixes = present.Any(IsOfExperts), routes = present.Any(IsRouter);
        int? layers = Layers();
        var named = new List<string>();
        var missing = new List<string>();
        foreach (var tensor in checkpoint.Tensors.Where(tensor => tensor.Info.Shape.Length == 2))
        {
            if (!tensor.Info.Name.EndsWith(Weight, StringComparison.Ordinal)) continue;
            string path = tensor.Info.Name[..^Weight.Length], canonical = ModuleNames.Canonical(path), tree = canonical.Split('.')[0];
            bool inLayer = canonical.Split('.').SkipLast(1).Any(part => part.Length > 0 && part.All(char.IsAsciiDigit));
            if (IsBeyond(canonical, layers) || (inLayer && !trees.Contains(tree))) continue;
            if ((IsOfExperts(path) && !mixes) || (IsRouter(path) && !routes)) continue;
            if (_config.Targets.IsAllLinear && (!inLayer || Tables.Contains(Leaf(path)))) continue;
            if (canonical == TiedHead.Module && _config.TaskType is not (null or "CAUSAL_LM")) continue;
            if (Spelled(path, canonical) is not { } spelled || !_config.Adapts(spelled) || _config.IsWithinSaved(spelled)) continue;
            named.Add(spelled);
            if (!adapted.Contains(tensor.Info.Name)) missing.Add(spelled);
        }

        // A head that the base does not store is a module all the same.
        if (
            tied is { Stored: null } && !_config.Targets.IsAllLinear && _config.TaskType is null or "CAUSAL_LM"
            && tied is not null && _config.Targets.Names.Contains(TiedHead.Module) && !_config.EnsuresTying)
        {
            named.Add(TiedHead.Module);
            if (!present.Any(name => ModuleNames.Canonical(name) == TiedHead.Module)) missing.Add(TiedHead.Module);
        }

        string?[] faults =
        [
            missing.Count > 0
                ? $"target_modules names {named.Count} modules of this base and the file has factors for {named.Count - missing.Count} "
                    + $"(no {List(missing)})"
                : null,
            MissingParameters(), MissingSaved(), MissingTokens(),
        ];
        return faults.OfType<string>().ToList() is { Count: > 0 } found ? string.Join("; ", found) : null;
    }

    private string? MissingParameters()
    {
        if (_config.TargetParameters.IsEmpty) return null;
        var expected = new SortedSet<string>(StringComparer.Ordinal);
        foreach (string tensor in checkpoint.Tensors.Select(tensor => tensor.Info.Name))
        {
            var expert = ExpertName().Match(tensor);
            string? key = !expert.Success ? tensor
                : ExpertParameter.Of(expert.Groups["part"].Value) is { } parameter ? $"{expert.Groups["module"].Value}.{parameter}"
                : null;
            if (key is null || IsBeyond(ModuleNames.Canonical(key), Layers())) continue;
            string module = key[..Math.Max(0, key.LastIndexOf('.'))];
            if (
                Spelled(module, ModuleNames.Canonical(module)) is { } spelled
                && ExpertParameter.Variants(spelled).FirstOrDefault(variant => _config.ParametersOf(variant).Contains(Leaf(key)))
                is { } found)
                expected.Add(found);
        }

        var present = adapter.Parameters.Select(entry => entry.Module)
            .Concat(adapter.Modules.Select(module => module.Name))
            .SelectMany(ExpertParameter.Variants)
            .ToHashSet(StringComparer.Ordinal);
        List<string> missing = [.. expected.Where(module => !present.Contains(module))];
        return missing.Count == 0
            ? null
            : $"target_parameters names parameters of {expected.Count} modules of this base and the file has factors for "
                + $"{expected.Count - missing.Count} (no {List(missing)})";
    }

    private string? MissingSaved()
    {
        var stored = adapter.Saved
            .SelectMany(entry => ExpertParameter.Variants(ModuleNames.Canonical(entry.Name)))
            .ToHashSet(StringComparer.Ordinal);
        var expected = checkpoint
            .Tensors.Select(tensor => tensor.Info.Name)
            .Where(name =>
                name.LastIndexOf('.') is > 0 and var dot
                && Spelled(name[..dot], ModuleNames.Canonical(name[..dot])) is { } module
                && _config.IsWithinSaved(module)
                && !IsBeyond(ModuleNames.Canonical(name), Layers()))
            .Select(ModuleNames.Canonical)
            .ToHashSet(StringComparer.Ordinal);
        if (tied is { Stored: null } && _config.Saves(TiedHead.Module) && !_config.EnsuresTying) expected.Add(TiedHead.Canonical);

        // An embedding and the head that is tied to it are stored once where they are trained as one.
        if (_config.EnsuresTying && stored.Overlaps(expected))
            expected.RemoveWhere(name => name == TiedHead.Canonical || Tables.Contains(Leaf(name[..Math.Max(0, name.LastIndexOf('.'))])));
        List<string> missing = [.. expected.Where(name => !stored.Contains(name)).Order(StringComparer.Ordinal)];
        return missing.Count == 0
            ? null
            : $"modules_to_save names {expected.Count} tensors of this base and the file has {expected.Count - missing.Count} "
                + $"(no {List(missing)})";
    }

    private string? MissingTokens() =>
        !_config.TokenIndices.IsEmpty && adapter.Tokens.IsEmpty
            ? "trainable_token_indices names rows of the embedding and the file has none"
            : null;

    /// <summary>A module's path as the adapter spells it; null where the adapter's model has nothing there.</summary>
    private string? Spelled(string path, string canonical)
    {
        string prefix = ModuleNames.Prefix(path);
        if (_spellings.FirstOrDefault(pair => pair.Base == prefix) is { Base: not null } known) return known.Adapter + canonical;
        if (canonical == TiedHead.Module) return canonical;

        // An adapter made for the text alone says nothing of the rest.
        return _spellings.Any(pair => pair.Adapter != pair.Base && !pair.Adapter.Contains("language_model", StringComparison.Ordinal))
            ? null
            : path;
    }

    private int? Layers()
    {
        foreach (string section in Sections)
        {
            foreach (string key in LayerCounts)
            {
                if (checkpoint.Config.Find(section + key) is { ValueKind: System.Text.Json.JsonValueKind.Number } element
                    && element.TryGetInt32(out int count))
                    return count;
            }
        }

        return null;
    }

    /// <summary>True for layers behind the model's own, as checkpoints keep for drafts.</summary>
    private static bool IsBeyond(string canonical, int? layers) =>
        layers is { } count && canonical.Split('.') is ["layers" or "h" or "blocks", var number, ..]
        && int.TryParse(number, out int layer) && layer >= count;

    private static bool IsOfExperts(string path) => path.Contains(".experts.", StringComparison.Ordinal);

    private static bool IsRouter(string path) => Leaf(path) is "gate" or "router" or "shared_expert_gate";

    private static string Leaf(string path) => path[(path.LastIndexOf('.') + 1)..];

    private static string List(List<string> missing) =>
        string.Join(", ", missing.Take(Listed)) + (missing.Count > Listed ? $" and {missing.Count - Listed} more" : "");

    [GeneratedRegex(@"^(?<module>.*\.experts)\.\d+\.(?<part>\w+)\.weight$")]
    private static partial Regex ExpertName();
}
