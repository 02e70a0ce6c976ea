using TorchSharp.Modules;
using Wisca.Rotations;
using Wisca.Torch.Optimizers;
using static TorchSharp.torch;

namespace Wisca.Torch.Transitions;

/// <summary>
/// Weights that do not train and are rotated all the same: the base of an adapter. They are kept as they were, and those that compute are
/// one product from there, however many rotations led to it: diag(g) R diag(1/g') with the product R of all rotations and the gains g and
/// g' at first and now, in single precision but for float64. So R and g' are all that a resumed run needs to have their bits again, and
/// nothing drifts. Give it to a <see cref="RotationScheduler"/>
/// and a <see cref="WiscaScheduler"/> as one of their states: factors act on the kept weights too.
/// </summary>
public sealed class FrozenWeights : IParameterState, IDisposable
{
    private readonly Dictionary<string, (Parameter Live, Tensor Kept)> _weights = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (RotatedSpace Space, Tensor Total)> _turned = new(StringComparer.Ordinal);

    /// <summary>Copies what a plan may turn of a model and what does not train.</summary>
    /// <param name="parameters">The model's parameters by name, not rotated yet.</param>
    /// <param name="plan">What may be rotated.</param>
    public FrozenWeights(IEnumerable<(string Name, Parameter Parameter)> parameters, RotationPlan plan)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(plan);
        var turned = plan.Spaces.SelectMany(space => space.Tensors).ToHashSet(StringComparer.Ordinal);
        using var ungraded = no_grad();
        foreach (var (name, parameter) in parameters.Where(entry => !entry.Parameter.requires_grad && turned.Contains(entry.Name)))
            _weights[name] = (parameter, parameter.detach().clone().DetachFromDisposeScope());
    }

    /// <summary>The weight as it was before all rotations; empty for what trains.</summary>
    public IReadOnlyList<StateTensor> StateOf(string parameter) =>
        _weights.TryGetValue(parameter, out var weight) ? [new StateTensor("kept", weight.Kept, 1)] : [];

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (_, kept) in _weights.Values) kept.Dispose();
        foreach (var (_, total) in _turned.Values) total.Dispose();
    }

    /// <summary>True for a weight that is kept here.</summary>
    internal bool Holds(string parameter) => _weights.ContainsKey(parameter);

    /// <summary>The gains of a space that are kept here, and change when it is rotated.</summary>
    internal IEnumerable<(string Name, Parameter Live)> Gains(RotatedSpace space) =>
        space.Gains.Where(gain => !gain.MustBeUniform && Holds(gain.Tensor)).Select(gain => (gain.Tensor, _weights[gain.Tensor].Live));

    /// <summary>Says what the product of all rotations of a space is; <see cref="Refresh"/> makes the weights so.</summary>
    internal void Set(RotatedSpace space, Tensor total)
    {
        if (_turned.TryGetValue(space.Name, out var known)) known.Total.Dispose();
        _turned[space.Name] = (space, total.clone().DetachFromDisposeScope());
    }

    /// <summary>Computes the weights anew from those that were kept, the gains and the rotations. Gains stay as they are.</summary>
    internal void Refresh()
    {
        using var ungraded = no_grad();
        var turns = _turned.Values
            .SelectMany(turned => turned.Space.Slices.Select(slice => (turned.Space, turned.Total, Slice: slice)))
            .ToLookup(entry => entry.Slice.Tensor, StringComparer.Ordinal);
        var biases = _turned.Values
            .SelectMany(turned => turned.Space.Gains.Select(gain => (turned.Total, Gain: gain)))
            .Where(entry => entry.Gain.Bias is not null)
            .ToDictionary(entry => entry.Gain.Bias!, StringComparer.Ordinal);
        using var all = NewDisposeScope();
        var matrices = new Dictionary<(string Space, string? Gain), TurnMatrix>();
        foreach (var (name, (live, kept)) in _weights)
        {
            var own = turns[name]
                .Select(entry => (entry.Slice, Matrix: Shared(entry.Space, entry.Slice, entry.Total, live.device)))
                .ToList();
            using var scope = NewDisposeScope();
            bool isBias = biases.TryGetValue(name, out var bias);
            if (own.Count == 0 && !isBias) continue;

            // In single precision: always from the weights as they were, so that nothing adds up.
            var wide = kept.to(kept.dtype == ScalarType.Float64 || isBias ? ScalarType.Float64 : ScalarType.Float32, copy: true);
            foreach (var (slice, matrix) in own) matrix.TurnOnce(wide, slice.Axis, slice.Start);
            if (isBias)
            {
                var (before, after) = Gain(bias.Gain);
                wide = bias.Gain.MustBeUniform
                    ? wide.matmul(bias.Total.to(wide.device))
                    : (wide / before).matmul(bias.Total.to(wide.device)) * after;
            }

            live.copy_(wide);
        }

        // One for all that reads behind one gain.
        TurnMatrix Shared(RotatedSpace space, RotatedSlice slice, Tensor total, Device device) =>
            matrices.TryGetValue((space.Name, slice.Gain), out var known)
                ? known
                : matrices[(space.Name, slice.Gain)] = new TurnMatrix(Matrix(space, slice, total, device, back: false)).Prepared();
    }

    /// <summary>What a tensor of the adapter, or one of the base's that trains, is for the weights as they were.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="values">Its values now.</param>
    /// <returns>A new tensor in float64; the same one where nothing was rotated.</returns>
    internal Tensor Back(string name, Tensor values)
    {
        var own = (
            from turned in _turned.Values
            from slice in turned.Space.Slices
            where slice.Tensor == name
            select (turned.Space, turned.Total, Slice: slice)).ToList();
        if (own.Count == 0) return values;
        var wide = values.detach().to(ScalarType.Float64, copy: true);
        foreach (var (space, total, slice) in own)
            LiveModel.Turn(wide, slice.Axis, slice.Start, Matrix(space, slice, total, wide.device, back: true));
        return wide;
    }

    /// <summary>True where a tensor reads behind a gain that changes in rotations: the lengths of its rows change too.</summary>
    internal bool ChangesLengths(string name) =>
        _turned.Values.Any(turned =>
            turned.Space.Slices.Any(slice => slice.Tensor == name && ChangingGain(turned.Space, slice) is not null));

    /// <summary>diag(g) R diag(1/g') for what reads behind a gain, R for all else; or the way back.</summary>
    private Tensor Matrix(RotatedSpace space, RotatedSlice slice, Tensor total, Device device, bool back)
    {
        var turn = total.to(device);
        if (ChangingGain(space, slice) is { } gain)
        {
            var (before, after) = Gain(gain);
            turn = before.unsqueeze(1) * turn / after;
            // The inverse of R is its transpose: no matrix is inverted for it.
            return back ? after.unsqueeze(1) * total.to(device).transpose(0, 1) / before : turn;
        }

        return back ? turn.transpose(0, 1) : turn;
    }

    private static RotatedGain? ChangingGain(RotatedSpace space, RotatedSlice slice) =>
        slice.Gain is { } name && space.Gains.First(gain => gain.Tensor == name) is { MustBeUniform: false } gain ? gain : null;

    private (Tensor Before, Tensor After) Gain(RotatedGain gain)
    {
        var (live, kept) = _weights[gain.Tensor];
        return (LiveModel.Gain(kept, gain), LiveModel.Gain(live, gain));
    }
}
