using System.Collections.Immutable;
using System.IO.Enumeration;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Safetensors;

namespace Wisca.Architectures;

/// <summary>Resolves the weights that a table declares against the tensors of a model.</summary>
internal sealed class MapResolver
{
    private readonly TextModel _text;
    private readonly IReadOnlyDictionary<string, TensorInfo> _tensors;
    private readonly AttentionTable _attention;
    private readonly string _prefix;
    private readonly LayerNames _names;
    private readonly int _layers;
    private readonly string[] _roots;
    private readonly List<WeightTable> _modelWeights;
    private readonly IReadOnlyList<WeightTable>[] _layerWeights;
    private readonly WeightNames _ofModel, _outside;
    private readonly Dictionary<IReadOnlyList<WeightTable>, WeightNames> _ofLayer = [];
    private readonly ImmutableArray<WeightAxis>.Builder _axes = ImmutableArray.CreateBuilder<WeightAxis>();
    private readonly ImmutableArray<ModelNorm>.Builder _norms = ImmutableArray.CreateBuilder<ModelNorm>();
    private readonly HashSet<string> _normSpaces = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HiddenSpace> _hidden = new(StringComparer.Ordinal);
    private readonly List<string> _packed = [], _undeclared = [], _embeddings = [];

    public MapResolver(
        TextModel text, IReadOnlyDictionary<string, TensorInfo> tensors, AttentionTable attention, string prefix, int layers)
    {
        (_text, _tensors, _attention, _prefix, _layers) = (text, tensors, attention, prefix, layers);
        var table = text.Table;
        _names = LayerNames.Of(table, prefix);

        // Output projections stand outside of what the prefix names.
        _roots =
        [
            .. table.Prefixes.Where(candidate => prefix.EndsWith(candidate, StringComparison.Ordinal))
                .Select(candidate => prefix[..^candidate.Length])
                .Append(ModuleNames.Wrapping(prefix)).Distinct(StringComparer.Ordinal),
        ];
        _modelWeights = [.. table.ModelWeights.Where(weight => weight.When?.Holds(text.Config, _ => false) ?? true).DistinctBy(Name)];
        _ofModel = new WeightNames(_modelWeights.Where(weight => weight is { Tied: null, Outside: false }), table.Buffers);
        _outside = new WeightNames(_modelWeights.Where(weight => weight.Outside), []);
        _layerWeights = WeightsByLayer();
        foreach (var weights in _layerWeights) _ofLayer.TryAdd(weights, new WeightNames(weights, table.Buffers));

        static string Name(WeightTable weight) => weight.Name;
    }

    public ModelMap Resolve()
    {
        // A family may have called its output projection by more than one name.
        var heads = _modelWeights.Where(weight => weight.Tied is not null).ToList();
        var head = heads.FirstOrDefault(weight => HeadModule(weight.Name) is not null) ?? heads.FirstOrDefault();
        string? headModule = head is null ? null : HeadModule(head.Name);
        bool tied = head is not null && (_text.TyingConfig.FindBool("tie_word_embeddings") ?? head.Tied!.Value);

        // A tied matrix may be stored under the output projection's name alone; it is the embedding all the same.
        var tokens = _modelWeights.FirstOrDefault(weight => weight is { Norm: null, From: null, To: not null });
        bool isEmbedding = tied && headModule is not null && tokens is not null
            && !_tensors.ContainsKey(_prefix + tokens.Name + ".weight");
        foreach (var norm in _modelWeights) AddNorm(norm, null);
        for (int layer = 0; layer < _layers; layer++)
        {
            foreach (var norm in _layerWeights[layer]) AddNorm(norm, layer);
        }

        foreach (var info in _tensors.Values.OrderBy(info => info.Name, StringComparer.Ordinal))
        {
            // What has no elements does nothing (the empty _extra_state of Transformer Engine).
            if (info.ElementCount == 0) continue;
            if (headModule is not null && info.Name.StartsWith(headModule + ".", StringComparison.Ordinal))
                AddHead(info, head!, info.Name[headModule.Length..], isEmbedding ? tokens : null);
            else if (_names.TryParse(info.Name, out int layer, out string? relative) && layer < _layers) AddOfLayer(info, layer, relative);
            else if (
                !AddOfModel(info, _ofModel, _prefix)
                && !_roots.Any(root => AddOfModel(info, _outside, root))
                && !IsHeadBias(info, heads))
                _undeclared.Add(info.Name);
        }

        bool stored = headModule is not null && !isEmbedding;
        return new ModelMap(
            _axes.ToImmutable(), _norms.ToImmutable(), [.. _hidden.Values], [.. _embeddings], stored ? headModule + ".weight" : null, tied,
            head is null ? null : SpaceOf(head.From!, null, ""), [.. _packed], [.. _undeclared]);
    }

    /// <summary>The weights that each layer has, by the conditions that hold in it; layers of one kind share a list.</summary>
    private IReadOnlyList<WeightTable>[] WeightsByLayer()
    {
        var all = _text.Table.LayerWeights;
        var lists = new IReadOnlyList<WeightTable>[_layers];
        Array.Fill(lists, all);
        var conditional = all.Where(weight => weight.When is not null).ToList();
        if (conditional.Count == 0) return lists;
        var tensors = new List<string>[_layers];
        for (int layer = 0; layer < _layers; layer++) tensors[layer] = [];
        foreach (string name in _tensors.Keys)
        {
            if (_names.TryParse(name, out int layer, out string? relative) && layer < _layers) tensors[layer].Add(relative);
        }

        var byKind = new Dictionary<string, IReadOnlyList<WeightTable>>(StringComparer.Ordinal);
        for (int layer = 0; layer < _layers; layer++)
        {
            bool Holds(WeightTable weight) => weight.When?.Holds(
                _text.Config,
                pattern => tensors[layer].Any(name => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false))) ?? true;

            string kind = string.Concat(conditional.Select(weight => Holds(weight) ? '1' : '0'));
            if (!byKind.TryGetValue(kind, out var weights))
                byKind.Add(kind, weights = [.. all.Where(Holds).DistinctBy(weight => weight.Name)]);
            lists[layer] = weights;
        }

        return lists;
    }

    /// <summary>The full name of a declared weight.</summary>
    private string FullName(string name, int? layer)
    {
        if (layer is not null || !_modelWeights.Any(weight => weight.Outside && weight.Name == name)) return LayerName(layer) + name;
        string[] names = [.. _roots.Select(root => root + name)];
        return names.FirstOrDefault(candidate => _tensors.ContainsKey(candidate + ".weight")) ?? names[0];
    }

    private string LayerName(int? layer) => layer is { } index ? _names[index] : _prefix;

    /// <summary>Where the output projection is, which stands outside of what the prefix names.</summary>
    private string? HeadModule(string name) =>
        _roots.Select(root => root + name).FirstOrDefault(module => _tensors.ContainsKey(module + ".weight"));

    /// <summary>True of the bias of an output projection, which may be stored where its matrix is not.</summary>
    private bool IsHeadBias(TensorInfo info, List<WeightTable> heads) =>
        heads.Any(head => _roots.Any(root => info.Name == root + head.Name + ".bias"));

    private void AddHead(TensorInfo info, WeightTable head, string part, WeightTable? tokens)
    {
        if (part == ".bias") return;
        if (part != ".weight" || !IsPlain(info, 2)) _packed.Add(info.Name);
        else if (tokens is not null)
        {
            _embeddings.Add(info.Name);
            Add(info, null, 1, SpaceOf(tokens.To!, null, ""), writes: true, isBias: false);
        }
        else Add(info, null, 1, SpaceOf(head.From!, null, ""), writes: false, isBias: false);
    }

    private bool AddOfModel(TensorInfo info, WeightNames names, string prefix)
    {
        if (!info.Name.StartsWith(prefix, StringComparison.Ordinal)) return false;
        string relative = info.Name[prefix.Length..];
        if (names.IsBuffer(relative)) return true;
        if (names.Find(relative) is not var (weight, expert, part)) return false;
        if (weight is { Norm: null, From: null, To: not null })
        {
            // Rows of embeddings are what is written.
            if (part != WeightPart.Matrix || !IsPlain(info, 2)) _packed.Add(info.Name);
            else
            {
                _embeddings.Add(info.Name);
                Add(info, null, 1, SpaceOf(weight.To, null, weight.Name), writes: true, isBias: false);
            }
        }
        else AddWeight(info, weight, null, expert, part);
        return true;
    }

    private void AddOfLayer(TensorInfo info, int layer, string relative)
    {
        int dot = relative.LastIndexOf('.');
        string module = dot < 0 ? "" : relative[..dot], part = dot < 0 ? "" : relative[(dot + 1)..];
        var names = _ofLayer[_layerWeights[layer]];
        if (_attention.Modules.Contains(module) && part is "weight" or "bias" && names.Find(relative)?.Weight.Name != module)
        {
            bool output = module == _attention.O;
            if (!info.Dtype.IsRescalable() || info.Shape.Length != (part == "weight" ? 2 : 1)) _packed.Add(info.Name);
            else if (part == "weight")
            {
                int axis = (_attention.Orientation == Orientation.Linear) == output ? 0 : 1;
                Add(info, layer, axis, SpaceOf(output ? To(_attention.To) : From(module), layer, ""), output, isBias: false);
            }
            else if (output) Add(info, layer, 0, SpaceOf(To(_attention.To), layer, ""), writes: true, isBias: true);
        }
        else if (names.IsBuffer(relative)) return;
        else if (names.Find(relative) is var (weight, expert, kind)) AddWeight(info, weight, layer, expert, kind);
        else if (_attention.Modules.Any(name => relative.StartsWith(name + ".", StringComparison.Ordinal))) _packed.Add(info.Name);
        else _undeclared.Add(info.Name);

        IReadOnlyList<string> From(string module) =>
            (module == _attention.K || module == _attention.V || module == _attention.Kv?.Tensor ? _attention.KvFrom : null)
            ?? _attention.From!;

        static IReadOnlyList<string> To(IReadOnlyList<string>? to) => to ?? [ModelMap.Stream];
    }

    private void AddWeight(TensorInfo info, WeightTable weight, int? layer, string expert, WeightPart part)
    {
        // It lies in no space that is known here: sinks, what reads an encoder.
        if (weight is { From: null, To: null, Parts: null }) return;
        int outer = weight.Stacked ? 1 : 0;

        // A parameter with one axis that is written alone is a bias.
        if (weight is { Norm: null, From: null, To: not null } && part == WeightPart.Matrix && info.Shape.Length == outer + 1)
            part = WeightPart.Bias;
        if (part == WeightPart.Packed || (weight.Norm is null && !IsPlain(info, outer + (part == WeightPart.Bias ? 1 : 2))))
        {
            _packed.Add(info.Name);
            return;
        }

        if (weight.Norm is not null)
        {
            if (!IsPlain(info, 1) && weight.From?[0] is not ("q" or "k")) _packed.Add(info.Name);
            return;
        }

        bool linear = weight.Orientation == Orientation.Linear;
        if (part == WeightPart.Matrix && weight.From is { } from)
            Add(info, layer, outer + (linear ? 1 : 0), SpaceOf(from, layer, weight.Name, expert), writes: false, isBias: false,
                Experts());
        int axis = part == WeightPart.Bias ? outer : outer + (linear ? 0 : 1);
        if (weight.To is { } to)
        {
            string space = SpaceOf(to, layer, weight.Name, expert);
            Add(info, layer, axis, space, writes: true, part == WeightPart.Bias, Experts());
            AddHidden(space, weight, layer, expert);
        }

        if (weight.Parts is not { } parts) return;
        int size = (int)info.Shape[axis] / parts.Count;
        for (int index = 0; index < parts.Count; index++)
        {
            if (parts[index] == WeightTable.Unread) continue;
            string space = SpaceOf([parts[index]], layer, weight.Name, expert);
            _axes.Add(
                new WeightAxis(info.Name, layer, axis, space, true, part == WeightPart.Bias, index * size, size)
                {
                    Experts = Experts(),
                    Length = (int)info.Shape[axis],
                });
            AddHidden(space, weight, layer, expert);
        }

        int? Experts() => weight.Stacked ? (int)info.Shape[0] : null;
    }

    /// <summary>Notes what stands between a space's writers and its readers. Writers that disagree let nothing pass.</summary>
    private void AddHidden(string space, WeightTable weight, int? layer, string expert)
    {
        if (space == ModelMap.Stream || _normSpaces.Contains(space)) return;
        var hidden = new HiddenSpace(space, layer, "the table does not say what stands between", null);
        if (weight.Activation is { } activation)
        {
            string? gate = activation.Gate is { } name
                ? LayerName(layer) + name.Replace("*", expert, StringComparison.Ordinal)
                : null;
            if (gate is not null && (_tensors.ContainsKey(gate + ".weight") || _tensors.ContainsKey(gate)))
                hidden = hidden with { Activation = "gated", Degree = ActivationTable.Linear };
            else if (activation.Default is null)
                hidden = hidden with { Activation = $"its gate '{gate}' is not there" };
            else
            {
                var (text, degree) = activation.Of(_text.Config);
                hidden = hidden with { Activation = text, Degree = degree };
            }
        }

        if (!_hidden.TryAdd(space, hidden) && _hidden[space] != hidden)
            _hidden[space] = hidden with { Activation = "what writes it goes through different activations", Degree = null };
    }

    private void AddNorm(WeightTable weight, int? layer)
    {
        if (weight.Norm is not { } form) return;
        string name = FullName(weight.Name, layer);

        // One behind a branch that is not stored is not there: some types of a family have it, others do not.
        if (weight.To is not null && Stored(name + ".weight") is null) return;
        _normSpaces.Add(name);
        _norms.Add(
            new ModelNorm(
                name, layer, form, weight.From is { } from ? SpaceOf(from, layer, weight.Name) : null,
                weight.To is { } to ? SpaceOf(to, layer, weight.Name) : null, Stored(name + ".weight"), Stored(name + ".bias"))
            {
                GainLength = _tensors.TryGetValue(name + ".weight", out var gain) ? (int)gain.ElementCount : 0,
                GainRows = gain?.Shape.Length == 2 ? (int)gain.Shape[0] : 0,
            });

        string? Stored(string tensor) => _tensors.ContainsKey(tensor) ? tensor : null;
    }

    private void Add(TensorInfo info, int? layer, int axis, string space, bool writes, bool isBias, int? experts = null) =>
        _axes.Add(new WeightAxis(info.Name, layer, axis, space, writes, isBias, 0, (int)info.Shape[axis]) { Experts = experts });

    /// <summary>The unique name of the first of some spaces that is there: the stream, a norm, or one beside the module.</summary>
    private string SpaceOf(IReadOnlyList<string> names, int? layer, string module, string expert = "")
    {
        IReadOnlyList<WeightTable> weights = layer is { } index ? _layerWeights[index] : _modelWeights;
        string name = names.FirstOrDefault(candidate =>
            candidate == ModelMap.Stream || !IsNorm(candidate) || _tensors.ContainsKey(FullName(candidate, layer) + ".weight"))
            ?? names[^1];
        if (name == ModelMap.Stream) return name;
        if (IsNorm(name))
        {
            // What goes through a norm behind the branch that is not there goes where the norm leads.
            var norm = weights.First(weight => weight.Norm is not null && weight.Name == name);
            return norm.To is { } to && !_tensors.ContainsKey(FullName(name, layer) + ".weight")
                ? SpaceOf(to, layer, module)
                : FullName(name, layer);
        }

        string parent = module[..(module.LastIndexOf('.') + 1)].Replace("*", expert, StringComparison.Ordinal);
        return LayerName(layer) + parent + name;

        bool IsNorm(string candidate) => weights.Any(weight => weight.Norm is not null && weight.Name == candidate);
    }

    private static bool IsPlain(TensorInfo info, int rank) => info.Dtype.IsRescalable() && info.Shape.Length == rank;
}
