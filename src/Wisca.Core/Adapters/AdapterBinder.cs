using System.Collections.Immutable;
using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Safetensors;

namespace Wisca.Adapters;

/// <summary>Finds what an adapter changes in a base, and collects what does not fit.</summary>
internal sealed class AdapterBinder
{
    private const int ListedDifferences = 4;
    private const string Weight = ".weight", BiasName = ".bias";

    // The heads of transformers' other models, which a base for text lacks.
    private static readonly string[] Heads = ["score", "classifier", "classification_head", "qa_outputs", "v_head", "regression_head"];

    private readonly Adapter _adapter;
    private readonly Checkpoint _checkpoint;
    private readonly AdapterConfig _config;
    private readonly BaseNames _names;
    private readonly TiedHead? _tied;
    private readonly IBaseDecomposition? _decomposition;
    private readonly bool? _conv;
    private readonly List<string> _differences = [];
    private readonly SortedSet<(string Adapter, string Base)> _spellings = [];
    private readonly Dictionary<string, StoredTensor> _copies = new(StringComparer.Ordinal);

    public AdapterBinder(Adapter adapter, Checkpoint checkpoint, IBaseDecomposition? decomposition)
    {
        _decomposition = decomposition;
        (_adapter, _checkpoint, _config) = (adapter, checkpoint, adapter.Config);
        _names = new BaseNames(checkpoint.Tensors.Select(tensor => tensor.Info.Name));
        _tied = TiedHead.Of(checkpoint);
        _conv = IsConv1D(checkpoint.Config);
    }

    public AdapterBinding Bind(bool allowPartial)
    {
        var saved = ImmutableArray.CreateBuilder<(StoredTensor Tensor, StoredTensor Base)>();
        var heads = ImmutableArray.CreateBuilder<(StoredTensor Tensor, string Name)>();
        StoredTensor? savedEmbedding = null, savedHead = null;
        var adapted = _adapter.Modules.Select(module => module.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var (tensor, name) in _adapter.Saved)
        {
            string module = name[..Math.Max(0, name.LastIndexOf('.'))];
            if (IsTiedHead(name))
            {
                if (Fits(tensor, _tied!.Embedding)) savedHead = tensor;
            }
            else if (IsNewHead(module)) heads.Add((tensor, name));
            else if (Find(name) is { } weight && Fits(tensor, weight))
            {
                bool isCopy = name.EndsWith(Weight, StringComparison.Ordinal) && adapted.Contains(module) && !_config.Saves(module);
                if (isCopy) _copies[weight.Info.Name] = tensor;
                else if (_tied is not null && weight == _tied.Embedding) savedEmbedding = tensor;
                else saved.Add((tensor, weight));
            }
        }

        var modules = ImmutableArray.CreateBuilder<BoundModule>();
        foreach (var module in _adapter.Modules)
        {
            if (Bound(module) is { } bound) modules.Add(bound);
        }

        foreach (var parameters in _adapter.Parameters) modules.AddRange(Experts(parameters));
        var tokens = ImmutableArray.CreateBuilder<(AdapterTokens Tokens, StoredTensor Base)>();
        AdapterTokens? headTokens = null;
        foreach (var rows in _adapter.Tokens)
        {
            if (IsTiedHead(rows.Module + Weight)) headTokens = rows;
            else if (Find(rows.Module + Weight) is { } table && Fits(rows, table)) tokens.Add((rows, table));
        }

        if (_differences.Count > 0) throw NotForThisBase();
        var names = _spellings.Where(pair => pair.Adapter != pair.Base).ToImmutableArray();
        string? missing = new AdapterCompleteness(_adapter, _checkpoint, _tied, _spellings).Missing(modules);
        if (missing is not null && !allowPartial)
            throw new WiscaException(
                $"{_adapter.Folder} lacks a part of itself: {missing}",
                "save it again, or take what is there with --allow-partial");
        var untied = Untie(modules, tokens, savedEmbedding, savedHead, headTokens, saved);
        return new AdapterBinding(_adapter, _checkpoint, modules.ToImmutable(), saved.ToImmutable())
        {
            Tokens = tokens.ToImmutable(),
            NewHeads = heads.ToImmutable(),
            UntiedHead = untied,
            Renamed = names,
            Missing = missing,
            Recomputes = _decomposition is not null,
        };
    }

    private bool IsTiedHead(string name) => _tied is not null && ModuleNames.Canonical(name) == TiedHead.Canonical;

    /// <summary>A head that the base lacks, since it is a model of another kind.</summary>
    private bool IsNewHead(string module)
    {
        string first = ModuleNames.Canonical(module).Split('.')[0];
        return Heads.Contains(first) && _config.Saves(ModuleNames.Canonical(module).Split('.')[0])
            && !_checkpoint.Tensors.Any(tensor => ModuleNames.Canonical(tensor.Info.Name).Split('.')[0] == first);
    }

    private BoundModule? Bound(AdapterModule module)
    {
        bool tiedHead = IsTiedHead(module.Name + Weight);
        if ((tiedHead ? _tied!.Embedding : Find(module.Name + Weight)) is not { } weight) return null;
        int outputs = module.Outputs, inputs = module.Inputs;
        bool plain = weight.Info.Shape.AsSpan().SequenceEqual([outputs, inputs]),
            transposed = weight.Info.Shape.AsSpan().SequenceEqual([inputs, outputs]);
        if (module.IsEmbedding ? !transposed : !plain && (!transposed || tiedHead))
        {
            _differences.Add($"{weight.Info.Name} is {weight.Info.ShapeText}, but the factors are for [{outputs}, {inputs}]");
            return null;
        }

        if (!IsFloat(weight)) return null;
        StoredTensor? bias = null;
        if (module.Bias is not null && (bias = FindOptional(module.Name + BiasName)) is null)
        {
            _differences.Add(
                $"lora_bias adds a bias to '{module.Name}', which has none in the base (PEFT does not merge that either)");
            return null;
        }

        bool stored = module.IsEmbedding || (!tiedHead && (plain && transposed ? _conv ?? _config.FanInFanOut : transposed));
        return new BoundModule(module, weight, stored)
        {
            Bias = bias,
            IsTiedHead = tiedHead,
            Stored = tiedHead ? null : _copies.GetValueOrDefault(weight.Info.Name),
            Start = _config.Initialization is LoraInitialization.Pissa or LoraInitialization.Olora && !module.IsEmbedding
                ? _config.Initialization
                : LoraInitialization.Default,
            Decomposition = _decomposition,
        };
    }

    /// <summary>The factors of a module's parameters: which is which, and for each expert its matrices in the base.</summary>
    private List<BoundModule> Experts(AdapterParameters parameters)
    {
        var targets = _config.ParametersOf(parameters.Module)
            .Select(name => ExpertParameter.Find(parameters.Module, name, _checkpoint, _names))
            .OfType<ExpertParameter>()
            .OrderBy(parameter => parameter.Order)
            .ToList();
        if (targets.Count > 1 && targets[^1].Order == ExpertParameter.NoOrder)
        {
            _differences.Add($"which factors of '{parameters.Module}' are which parameter's is not known: their order is not");
            return [];
        }

        if (targets.Count != parameters.Factors.Length)
        {
            _differences.Add(
                $"'{parameters.Module}' has factors of {parameters.Factors.Length} "
                + $"parameter{(parameters.Factors.Length == 1 ? "" : "s")}, of which target_parameters finds {targets.Count} in the base");
            return [];
        }

        var bound = new List<BoundModule>();
        foreach (var (target, (a, b)) in targets.Zip(parameters.Factors))
        {
            string key = $"{parameters.Module}.{target.Name}";
            int rank = _config.RankOf(key);
            if (target.Bind(key, rank, _config.ScaleOf(key), a, b, out string? why) is { } modules) bound.AddRange(modules.Where(Take));
            else _differences.Add(why!);
        }

        return bound;

        bool Take(BoundModule module)
        {
            _spellings.Add((ModuleNames.Prefix(parameters.Module), ModuleNames.Prefix(module.Weight.Info.Name)));
            return IsFloat(module.Weight);
        }
    }

    private bool IsFloat(StoredTensor weight)
    {
        if (weight.Info.Dtype.IsRescalable()) return true;
        _differences.Add($"{weight.Info.Name} is stored as {weight.Info.Dtype}, expected F32, F16, BF16 or F64");
        return false;
    }

    private bool Fits(StoredTensor tensor, StoredTensor weight)
    {
        if (weight.Info.Shape.SequenceEqual(tensor.Info.Shape) && weight.Info.Dtype.IsRescalable()) return true;
        _differences.Add(
            $"{weight.Info.Name} is {weight.Info.Dtype} {weight.Info.ShapeText}, but the adapter stores {tensor.Info.ShapeText}");
        return false;
    }

    private bool Fits(AdapterTokens tokens, StoredTensor table)
    {
        if (table.Info.Shape is [var rows, var width] && width == tokens.Rows.Info.Shape[1] && tokens.Ids.All(id => id < rows))
            return IsFloat(table);
        _differences.Add(
            $"{table.Info.Name} is {table.Info.ShapeText}, but the adapter stores rows of {tokens.Rows.Info.Shape[1]}, the last of them "
            + $"{tokens.Ids.DefaultIfEmpty().Max()}");
        return false;
    }

    private StoredTensor? Find(string name)
    {
        string? found = _names.Find(name, out bool ambiguous);

        // A router has another name in another generation of the model, as the experts beside it.
        if (found is null && !ambiguous)
            found = ExpertParameter.Variants(name).Select(variant => _names.Find(variant, out _)).FirstOrDefault(it => it is not null);
        if (ambiguous) _differences.Add($"several tensors of the base could be {name}");
        else if (found is null) _differences.Add($"the base has no {name}");
        if (found is null) return null;
        Spell(name, found);
        return _checkpoint.Find(found);
    }

    private StoredTensor? FindOptional(string name) => _names.Find(name, out _) is { } found ? _checkpoint.Find(found) : null;

    /// <summary>Notes in what spelling the adapter has a name, and in what the base.</summary>
    private void Spell(string name, string found)
    {
        if (ModuleNames.Canonical(name) == ModuleNames.Canonical(found))
            _spellings.Add((ModuleNames.Prefix(name), ModuleNames.Prefix(found)));
        else if (TargetModules.EndsWith(found, name)) _spellings.Add(("", found[..^name.Length]));
    }

    /// <summary>
    /// Where the base ties its output projection to the embedding, and the adapter changes one of them and not the other, as PEFT's model
    /// computes it, they become two matrices. What is meant for both is moved to the embedding.
    /// </summary>
    private UntiedHead? Untie(
        ImmutableArray<BoundModule>.Builder modules, ImmutableArray<(AdapterTokens Tokens, StoredTensor Base)>.Builder tokens,
        StoredTensor? savedEmbedding, StoredTensor? savedHead, AdapterTokens? headTokens,
        ImmutableArray<(StoredTensor, StoredTensor)>.Builder saved)
    {
        if (_tied is null) return null;
        var table = _tied.Embedding;
        var ofEmbedding = modules.FirstOrDefault(bound => bound.Weight == table && !bound.IsTiedHead);
        var ofHead = modules.FirstOrDefault(bound => bound.IsTiedHead);
        var rows = tokens.FirstOrDefault(entry => entry.Base == table).Tokens;
        savedEmbedding ??= ofEmbedding?.Stored;

        // PEFT's copies of both go into the one matrix, unless they are modules that were trained whole.
        bool SavesOwn(StoredTensor? stored) =>
            stored is not null
            && _adapter.Saved.Where(entry => entry.Tensor == stored).Any(entry => _config.Saves(entry.Name[..^Weight.Length]));
        if (!SavesOwn(savedEmbedding) || _config.EnsuresTying) savedHead ??= savedEmbedding;
        if (!SavesOwn(savedHead)) savedEmbedding ??= savedHead;
        if (SameValues(savedEmbedding, table)) savedEmbedding = null;
        if (SameValues(savedHead, table)) savedHead = null;
        headTokens ??= rows;
        bool same =
            (savedEmbedding is null ? savedHead is null : savedHead is not null && SameValues(savedHead, savedEmbedding))
            && (ofEmbedding is null ? ofHead is null : ofHead is null ? _config.EnsuresTying : SameFactors(ofEmbedding, ofHead))
            && (rows is null ? headTokens is null : headTokens is not null && SameRows(rows, headTokens));
        if (ofEmbedding is not null) modules[modules.IndexOf(ofEmbedding)] = ofEmbedding with { Stored = savedEmbedding };
        else if (savedEmbedding is not null && rows is null) saved.Add((savedEmbedding, table));
        if (rows is not null && savedEmbedding is not null)
            throw new WiscaException(
                $"{_adapter.Folder} stores '{savedEmbedding.Info.Name}' and single rows of it too", "merge the adapter with PEFT");
        if (ofHead is not null) modules.Remove(ofHead);
        if (same) return null;
        if (!_tied.CanBeUntied(_checkpoint.Config))
            throw new WiscaException(
                $"the base ties lm_head to '{table.Info.Name}', and the adapter changes one of them and not the other",
                "untie the base first: a lm_head.weight of its own, and tie_word_embeddings false in config.json");
        return new UntiedHead(_tied.Name, table, _tied.Stored)
        {
            Module = ofHead is null ? null : ofHead with { Stored = savedHead },
            Replacement = savedHead,
            Tokens = headTokens,
        };
    }

    private static bool SameRows(AdapterTokens a, AdapterTokens b) =>
        ReferenceEquals(a, b) || (a.Ids.SequenceEqual(b.Ids) && SameValues(a.Rows, b.Rows));

    /// <summary>B and A of an embedding are A and B of its transpose.</summary>
    private static bool SameFactors(BoundModule embedding, BoundModule head) =>
        embedding.Module is { Magnitude: null } e && head.Module is { Magnitude: null, Bias: null } h
        && e.Scale == h.Scale && e.Rank == h.Rank
        && LowRankUpdate.Transpose(e.ValuesOfA(), e.Inputs).AsSpan().SequenceEqual(h.ValuesOfB())
        && LowRankUpdate.Transpose(e.ValuesOfB(), e.Rank).AsSpan().SequenceEqual(h.ValuesOfA());

    private static bool SameValues(StoredTensor? a, StoredTensor b)
    {
        if (a is null || !a.Info.Shape.SequenceEqual(b.Info.Shape)) return false;
        MatrixView left = new(a, 0), right = new(b, 0);
        double[] x = new double[left.Columns], y = new double[left.Columns];
        for (int row = 0; row < left.Rows; row++)
        {
            left.Decode(row, x);
            right.Decode(row, y);
            if (!x.AsSpan().SequenceEqual(y)) return false;
        }

        return true;
    }

    private WiscaException NotForThisBase()
    {
        string more = _differences.Count > ListedDifferences ? $"; and {_differences.Count - ListedDifferences} more" : "";
        string made = _config.BaseName is { Length: > 0 } name ? $"it was made for {name}" : "give the base that it was made for";
        return new WiscaException(
            $"{_adapter.Folder} is not an adapter for {_checkpoint.Folder}: "
            + $"{string.Join("; ", _differences.Take(ListedDifferences))}{more}",
            made);
    }

    /// <summary>How a family stores its projections; null where the family is not known.</summary>
    private static bool? IsConv1D(ModelConfig config)
    {
        try
        {
            return TextModel.Find(config, null).Table.Attention.Any(layout => layout.Orientation == Orientation.Conv1D);
        }
        catch (WiscaException)
        {
            return null;
        }
    }
}
