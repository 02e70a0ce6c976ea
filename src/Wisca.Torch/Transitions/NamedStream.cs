using System.Collections.Immutable;
using System.Globalization;
using TorchSharp.Modules;
using Wisca.Rotations;

namespace Wisca.Torch.Transitions;

/// <summary>Finds the residual stream that <see cref="StreamNames"/> describe.</summary>
internal sealed class NamedStream
{
    private readonly Dictionary<string, long[]> _shapes;
    private readonly Dictionary<string, string> _first;
    private readonly StreamNames _names;
    private readonly ImmutableArray<RotatedSlice>.Builder _slices = ImmutableArray.CreateBuilder<RotatedSlice>();
    private readonly ImmutableArray<RotatedGain>.Builder _gains = ImmutableArray.CreateBuilder<RotatedGain>();
    private readonly HashSet<string> _named = new(StringComparer.Ordinal);
    private int _size;

    private NamedStream(IReadOnlyList<(string Name, Parameter Parameter)> parameters, StreamNames names)
    {
        // A parameter that two modules share is known by the first of its names.
        var first = parameters.DistinctBy(entry => entry.Parameter.Handle)
            .ToDictionary(entry => entry.Parameter.Handle, entry => entry.Name);
        _first = parameters.ToDictionary(entry => entry.Name, entry => first[entry.Parameter.Handle], StringComparer.Ordinal);
        _shapes = parameters.ToDictionary(entry => entry.Name, entry => entry.Parameter.shape, StringComparer.Ordinal);
        _names = names;
    }

    public static RotationPlan Find(IReadOnlyList<(string Name, Parameter Parameter)> parameters, StreamNames names) =>
        new NamedStream(parameters, names).Plan();

    private RotationPlan Plan()
    {
        if (_names.Embeddings.Count == 0)
            throw new WiscaException("the stream has no embeddings", "name the modules whose rows are written into it");
        foreach (var (module, _) in Modules(_names.Embeddings)) Add(module, 1, SliceRole.Embedding, null);
        foreach (var (module, _) in Modules(_names.Writers))
        {
            Add(module, 0, SliceRole.Writes, null);
            if (!_shapes.ContainsKey(module + ".bias")) continue;
            _slices.Add(new RotatedSlice(module + ".bias", 0, 0, SliceRole.Bias));
            _named.Add(module + ".bias");
        }

        foreach (var (module, _) in Modules(_names.Readers)) Add(module, 1, SliceRole.Reads, null);
        foreach (var norm in _names.Norms) AddNorm(norm);
        CheckRest();
        return new RotationPlan(
            [
                new RotatedSpace(
                    RotationKind.Stream, RotationKind.Stream.Name(), _size, _names.Norms.Any(norm => norm.TakesMean),
                    _slices.ToImmutable(), _gains.ToImmutable()),
            ],
            []);
    }

    private void AddNorm(StreamNorm norm)
    {
        string[] embeddings = [.. Modules(_names.Embeddings).Select(entry => entry.Module)];
        foreach (var (module, layer) in Modules([norm.Name]))
        {
            string gain = module + ".weight", bias = module + ".bias";
            _named.UnionWith([gain, bias]);
            long[] shape = _shapes[gain];
            if (shape.Length != 1 || shape[0] != _size)
                throw Unfit(gain, $"[{_size}], a gain for each dimension of the stream");
            string[] readers = [.. norm.Readers.SelectMany(reader => Modules([reader], layer)).Select(entry => entry.Module)];
            bool tied = readers.Any(embeddings.Contains);
            _gains.Add(new RotatedGain(gain, norm.AddsOne, tied, _shapes.ContainsKey(bias) ? bias : null));
            foreach (string reader in readers.Except(embeddings)) Add(reader, 1, SliceRole.Reads, tied ? null : gain);
        }
    }

    private void Add(string module, int axis, SliceRole role, string? gain)
    {
        string weight = module + ".weight";
        long[] shape = _shapes[weight];
        if (_size == 0 && shape.Length == 2) _size = (int)shape[axis];
        if (shape.Length != 2 || shape[axis] != _size)
            throw Unfit(weight, $"a matrix with the stream's {_size} dimensions along axis {axis}");
        if (_slices.Any(slice => slice.Tensor == weight && slice.Axis == axis))
            throw new WiscaException($"'{module}' is named twice", "a module reads the stream behind one norm, or without one");
        _slices.Add(new RotatedSlice(weight, axis, 0, role, gain));
        _named.Add(weight);
    }

    /// <summary>What has an axis as long as the stream lies in it as far as anyone can tell from outside.</summary>
    private void CheckRest()
    {
        _named.UnionWith(Modules(_names.Others).SelectMany(entry => new[] { entry.Module + ".weight", entry.Module + ".bias" }));
        var reading = _slices.Where(slice => slice.Role == SliceRole.Reads).Select(slice => slice.Tensor).ToHashSet(StringComparer.Ordinal);
        foreach (var (name, shape) in _shapes.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            // The bias of what reads lies behind it.
            bool isBias = name.EndsWith(".bias", StringComparison.Ordinal) && reading.Contains(name[..^".bias".Length] + ".weight");
            if (_named.Contains(_first[name]) || isBias || !shape.Contains(_size)) continue;
            throw new WiscaException(
                $"parameter '{name}' [{string.Join(", ", shape)}] has an axis as long as the stream, and nothing says whether it lies "
                + "in it",
                "name it among the embeddings, the writers or the readers of a norm, or among the others where it does not");
        }
    }

    private IEnumerable<(string Module, int? Layer)> Modules(IEnumerable<string> patterns, int? layer = null)
    {
        foreach (string pattern in patterns)
        {
            string[] parts = pattern.Split('*');
            if (parts.Length > 2) throw new WiscaException($"'{pattern}' has more than one *", "it stands for the number of the layer");
            string[] found = parts.Length == 1 ? [pattern]
                : layer is { } index ? [$"{parts[0]}{index}{parts[1]}"]
                : [.. NamedLayers.Indices(_shapes.Keys, pattern).Select(number => $"{parts[0]}{number}{parts[1]}")];
            if (found.Length == 0 || found.Any(module => !_shapes.ContainsKey(module + ".weight")))
                throw new WiscaException(
                    found.Length == 0 ? $"no parameter matches '{pattern}.weight'" : $"the model has no parameter '{found[0]}.weight'",
                    $"the model's parameters are {string.Join(", ", _shapes.Keys.Take(4))}, ...; * stands for the layer's number");
            foreach (string module in found)
                yield return (
                    _first[module + ".weight"][..^".weight".Length],
                    parts.Length == 1
                        ? null
                        : int.Parse(module.AsSpan(parts[0].Length, module.Length - pattern.Length + 1), CultureInfo.InvariantCulture));
        }
    }

    private WiscaException Unfit(string name, string expected) =>
        new($"parameter '{name}' has shape [{string.Join(", ", _shapes[name])}], expected {expected}", "weights are [out, in]");
}
