using System.Diagnostics.CodeAnalysis;
using TorchSharp;
using Wisca.Numerics;
using Wisca.Rotations;
using Wisca.Safetensors;
using Wisca.Torch.Optimizers;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Torch.Transitions;

/// <summary>
/// The tensors of a model in training as a transition sees them: where an optimizer keeps a float32 master of a 16-bit parameter, the
/// master is the weight, and the parameter its copy. Sums are in float64, and so are products, rounded once, as on disk; but for those of
/// rotations that lose nothing in single precision (<see cref="TurnMatrix"/>).
/// </summary>
public sealed class LiveModel : ITensorSource
{
    // Of the gains' root mean square: at rates that take gains near to zero, runs without it diverge.
    private const double SmallestGain = 0.3;

    // Sums of squares in single precision that have lost nothing at either end.
    private const double Smallest = 1e-20, Largest = 1e30;

    private readonly Dictionary<string, Tensor> _parameters;
    private readonly IReadOnlyList<IParameterState> _states;

    /// <summary>Takes the tensors of a model and what is kept beside them.</summary>
    /// <param name="parameters">Names, as an architecture table has them, and parameters.</param>
    /// <param name="states">Optimizers and averages, whose tensors follow the parameters.</param>
    public LiveModel(IEnumerable<(string Name, Tensor Parameter)> parameters, IReadOnlyList<IParameterState> states)
    {
        _parameters = parameters.ToDictionary(entry => entry.Name, entry => entry.Parameter, StringComparer.Ordinal);
        _states = states;
    }

    /// <summary>Names, types and shapes, as an architecture table wants them.</summary>
    public IEnumerable<TensorInfo> Infos =>
        _parameters.Select(entry => new TensorInfo(entry.Key, entry.Value.dtype.ToDtype(), [.. entry.Value.shape], 0, 0));

    /// <summary>Finds a parameter by name.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="parameter">The parameter.</param>
    public bool TryFind(string name, [MaybeNullWhen(false)] out Tensor parameter) => _parameters.TryGetValue(name, out parameter);

    /// <inheritdoc/>
    public Dtype DtypeOf(string tensor) => Weight(tensor).dtype.ToDtype();

    /// <summary>Length of a parameter along an axis.</summary>
    /// <param name="tensor">The parameter's name.</param>
    /// <param name="axis">0 for rows, 1 for columns. A stack of matrices counts as one below the other.</param>
    public int LengthOf(string tensor, int axis)
    {
        long[] shape = _parameters[tensor].shape;
        return (int)(shape.Length == 1 || axis == 1 ? shape[^1] : shape.SkipLast(1).Aggregate(1L, (rows, length) => rows * length));
    }

    /// <inheritdoc/>
    public AxisStatistics Measure(string tensor, int axis, int parts = 1, bool addsOne = false, double[]? others = null)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var weight = Weight(tensor);
        if (HostMatrix.Of(weight) is { } matrix)
            return (matrix.Measure(axis, parts, addsOne, others) ?? throw NotFinite(tensor)) with
            {
                SumOfSecondMoments = SecondMoments(tensor, axis),
            };

        // Elsewhere by libtorch's operators.
        var magnitudes = AlongAxis(weight, axis, parts, addsOne ? 1 : 0, others).abs();
        double[] sums = Read(magnitudes.sum(1));
        if (!Array.TrueForAll(sums, double.IsFinite)) throw NotFinite(tensor);
        using var infinity = double.PositiveInfinity.ToScalar();
        var nonzero = magnitudes.masked_fill(magnitudes.logical_not(), infinity);
        return new AxisStatistics(
            sums, Read(magnitudes.Squared().sum(1)), Read(nonzero.amin([1])), Read(magnitudes.amax([1])), magnitudes.shape[1])
        {
            SumOfSecondMoments = SecondMoments(tensor, axis),
        };
    }

    /// <inheritdoc/>
    public double[] SpectralNorms(string tensor, int axis, int[] groupOfIndex, int groups)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var rows = AlongAxis(Weight(tensor), axis);
        var members = groupOfIndex
            .Select((group, index) => (Group: group, Index: (long)index))
            .ToLookup(entry => entry.Group, entry => entry.Index);
        return
        [
            .. Enumerable
                .Range(0, groups)
                .Select(group =>
                    linalg
                        .norm(rows.index_select(0, torch.tensor(members[group].ToArray(), device: rows.device)), 2, [0, 1], false)
                        .AsDouble()),
        ];
    }

    /// <summary>Multiplies a parameter by its factors, its copies by the same,
    /// and its optimizer state by the power that the policy gives it.</summary>
    public void Scale(string name, AxisFactors factors, StatePolicy policy) => Scale([KeyValuePair.Create(name, factors)], policy);

    /// <summary>As for one parameter, for many at once: what lies in the machine's own memory goes by on all threads.</summary>
    internal void Scale(IReadOnlyCollection<KeyValuePair<string, AxisFactors>> parameters, StatePolicy policy)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var host = new HostScaling();
        foreach (var (name, factors) in parameters)
        {
            if (Master(name) is null) Scale(new StateTensor(name, _parameters[name], 1), factors);
            foreach (var states in _states)
            {
                if (policy == StatePolicy.Reset && HasState(states, name)) ((IOptimizerState)states).Reset(name);
                foreach (var state in states.StateOf(name))
                {
                    if (state.Degree > 0 || (state.Degree < 0 && policy == StatePolicy.Transport)) Scale(state, factors);
                }
            }
        }

        host.Run();
        foreach (var (name, _) in parameters.Where(entry => Master(entry.Key) is not null))
        {
            foreach (var states in _states.OfType<IOptimizerState>()) states.RefreshFromMaster(name);
        }

        void Scale(StateTensor state, AxisFactors factors)
        {
            if (!host.TryAdd(state, factors)) StateTransport.Scale(state, factors);
        }
    }

    /// <summary>True for a parameter whose weight managed code measures in one pass.</summary>
    internal bool IsInHostMemory(string tensor) => HostMatrix.Of(Weight(tensor)) is not null;

    /// <summary>False to leave the sums of second moments out of what is measured: only one criterion asks for them.</summary>
    internal bool MeasuresSecondMoments { get; init; } = true;

    /// <summary>Called when all factors of a transition are applied: frozen weights are computed anew from what is kept.</summary>
    internal void Settle()
    {
        foreach (var frozen in _states.OfType<FrozenWeights>()) frozen.Refresh();
    }

    /// <summary>
    /// Mixes a parameter along an axis by a symmetric matrix, its copies by the same, and what is gathered from gradients by the inverse:
    /// momenta exactly, second moments by the squares of its elements, which is exact where the gradient's elements are independent.
    /// </summary>
    public void Mix(string name, int axis, double[,] matrix, double[,] inverse, StatePolicy policy)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        bool hasMaster = Master(name) is not null;
        if (!hasMaster) StateTransport.Mix(new StateTensor(name, _parameters[name], 1), axis, matrix, inverse);
        foreach (var states in _states)
        {
            if (policy == StatePolicy.Reset && HasState(states, name)) ((IOptimizerState)states).Reset(name);
            foreach (var state in states.StateOf(name))
            {
                if (state.Degree > 0 || policy == StatePolicy.Transport) StateTransport.Mix(state, axis, matrix, inverse);
            }

            if (hasMaster) (states as IOptimizerState)?.RefreshFromMaster(name);
        }
    }

    /// <summary>
    /// Puts a symmetric matrix M between the two sides of a head's space: slices of the one are multiplied by it, those of the other by
    /// its inverse. Copies of the weights follow, momenta by the inverse of their weight's.
    /// </summary>
    /// <param name="space">The space of a head.</param>
    /// <param name="matrix">M.</param>
    /// <param name="inverse">M^-1.</param>
    /// <param name="moments">What becomes of second moments; state that is to be reset is so before.</param>
    internal void Mix(RotatedSpace space, double[,] matrix, double[,] inverse, SecondMomentPolicy moments)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var device = Weight(space.Slices[0].Tensor).device;
        Tensor forward = tensor(matrix, device: device), back = tensor(inverse, device: device);
        string[] tensors = [.. space.Tensors];
        foreach (var copy in Copies(tensors).ToList())
        {
            foreach (var slice in space.Slices)
            {
                if (copy(slice.Tensor) is { } weight) Turn(weight, slice.Axis, slice.Start, slice.Dual ? back : forward);
            }
        }

        foreach (var states in _states)
        {
            foreach (var slice in space.Slices)
            {
                foreach (var state in states.StateOf(slice.Tensor).Where(state => state.Degree < 0))
                {
                    bool isSquare = state.Degree == -2 && state.AxesAlong(slice.Axis).Length < 2;
                    if (isSquare && moments != SecondMomentPolicy.Mix) continue;
                    var momenta = slice.Dual ? forward : back;
                    if (state.IsElementwise) Turn(state.Tensor, slice.Axis, slice.Start, isSquare ? momenta.Squared() : momenta);
                    else StateTransport.MixPart(state, slice.Axis, slice.Start, LengthAlong(slice), momenta);
                }
            }

            foreach (string name in tensors.Where(name => Master(name) is not null)) (states as IOptimizerState)?.RefreshFromMaster(name);
        }

        long LengthAlong(RotatedSlice slice) => _parameters[slice.Tensor].shape[slice.Axis];
    }

    /// <summary>True where there is something of an optimizer to reset, here or on another rank.</summary>
    private static bool HasState(IParameterState states, string name) =>
        states is IOptimizerState && (states.StateOf(name).Count > 0 || states is Optimizer optimizer && optimizer.HasStateElsewhere(name));

    /// <summary>Makes the optimizer's state of parameters what it was before the first step.</summary>
    internal void Reset(IEnumerable<string> tensors)
    {
        foreach (string name in tensors)
        {
            foreach (var states in _states.OfType<IOptimizerState>().Where(states => HasState(states, name))) states.Reset(name);
        }
    }

    /// <summary>The products with each other of a space's indices, in the weights of one of the two sides of a head.</summary>
    internal double[,] Gram(RotatedSpace space, bool dual)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var sum = zeros([space.Size, space.Size], ScalarType.Float64);
        foreach (var slice in space.Slices.Where(slice => slice.Dual == dual && slice.Role != SliceRole.Bias))
        {
            var rows = Weight(slice.Tensor).narrow(slice.Axis, slice.Start, space.Size).transpose(slice.Axis, -1)
                .to(ScalarType.Float64).reshape(-1, space.Size);
            var gram = rows.transpose(0, 1).matmul(rows).cpu();
            if (!gram.isfinite().all().AsBoolean()) throw NotFinite(slice.Tensor);
            sum.Plus_(gram);
        }

        return RotationBasis.ToArray(sum);
    }

    /// <summary>
    /// Turns a space by an orthogonal matrix R: what lies in it is multiplied by R, what reads behind a norm with gain g by
    /// diag(g) R diag(1/g'), and the norm's bias b becomes (b / g) R g'. Copies of the weights follow with their own gains, momenta
    /// exactly (beside second moments, where no gain is small next to the others); a gain's own momenta stay, or are zero where it was
    /// folded. Gains that must be uniform stay as they are.
    /// </summary>
    /// <param name="space">What lies in the space.</param>
    /// <param name="rotation">R, [size, size].</param>
    /// <param name="gains">What becomes of the gains.</param>
    /// <param name="moments">What becomes of second moments.</param>
    /// <exception cref="WiscaException">A gain is too near to zero, or not uniform although it must be; nothing has changed.</exception>
    public void Rotate(RotatedSpace space, double[,] rotation, GainPolicy gains, SecondMomentPolicy moments)
    {
        ArgumentNullException.ThrowIfNull(space);
        ArgumentNullException.ThrowIfNull(rotation);
        if (Obstacle(space) is { } obstacle) throw new WiscaException(obstacle, "the residual stream of this model cannot be rotated now");
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var turn = tensor(rotation, device: Weight(space.Slices[0].Tensor).device);
        string[] tensors = [.. space.Slices.Select(slice => slice.Tensor).Distinct()];
        if (moments == SecondMomentPolicy.Reset) Reset(tensors);

        // All gains are read before any changes.
        var plain = new GainChange(turn, null, null);
        var live = Changes(space, turn, rotation, gains, Weight);
        foreach (var (copy, changes) in Copies(tensors).Select(copy => (copy, Changes(space, turn, rotation, gains, copy))).ToList())
        {
            foreach (var slice in space.Slices.Where(slice => !IsFrozen(slice.Tensor)))
            {
                if (copy(slice.Tensor) is { } weight) ChangeOf(slice, changes).Weights.TurnWeight(weight, slice.Axis, slice.Start);
            }

            foreach (var gain in space.Gains)
            {
                var change = changes[gain.Tensor];
                if (gain.Bias is { } bias && !IsFrozen(bias) && copy(bias) is { } shift) change.Momenta.TurnWeight(shift, 0, 0);
                if (!gain.MustBeUniform) copy(gain.Tensor)?.copy_(gain.AddsOne ? change.After!.Plus(-1) : change.After!);
            }
        }

        foreach (var states in _states)
        {
            foreach (var slice in space.Slices)
            {
                var change = ChangeOf(slice, live);
                bool hasSquares = states.StateOf(slice.Tensor).Any(state => state is { Degree: -2, IsElementwise: true });
                TurnMoments(states, slice.Tensor, slice.Axis, slice.Start, hasSquares ? change.Guarded : change);
            }

            foreach (var gain in space.Gains)
            {
                if (gain.Bias is { } bias) TurnMoments(states, bias, 0, 0, live[gain.Tensor].Inverse);
                if (gains != GainPolicy.Fold || gain.MustBeUniform) continue;
                foreach (var state in states.StateOf(gain.Tensor).Where(state => state.Degree < 0)) state.Tensor.zero_();
            }

            foreach (string name in space.Tensors.Where(name => Master(name) is not null))
                (states as IOptimizerState)?.RefreshFromMaster(name);
        }

        GainChange ChangeOf(RotatedSlice slice, Dictionary<string, GainChange> changes) =>
            slice.Gain is { } gain ? changes[gain] : plain;

        void TurnMoments(IParameterState states, string name, int axis, int start, GainChange change)
        {
            foreach (var state in states.StateOf(name))
            {
                if (!state.IsElementwise) TurnGathered(state, axis, start, change);
                else if (state.Degree == -1) change.Momenta.TurnOnce(state.Tensor, axis, start);
                else if (state.Degree == -2 && moments == SecondMomentPolicy.Mix) change.Squares.TurnOnce(state.Tensor, axis, start);
                else if (state.Degree == -2 && change.Kept is { } kept) MultiplyAlong(state.Tensor, axis, start, kept);
            }
        }

        // Gram matrices, bases and moments in a basis: the gain before, the rotation, the gain behind.
        void TurnGathered(StateTensor state, int axis, int start, GainChange change)
        {
            if (change.Before is { } before) StateTransport.Scale(state, AxisFactors.Along(axis, Read(before.cpu())));
            StateTransport.TryRotate(state, axis, start, turn);
            if (change.After is { } after) StateTransport.Scale(state, AxisFactors.Along(axis, Read(after.reciprocal().cpu())));
        }
    }

    /// <summary>
    /// The lengths of rows that magnitudes (DoRA) go by, for the weights and every copy of them; what is returned makes the magnitudes
    /// follow once the rows have been turned, and what was gathered from their gradients.
    /// </summary>
    /// <param name="spaces">What is about to be rotated.</param>
    /// <returns>The magnitudes' names, and what makes them follow.</returns>
    internal (IReadOnlyList<string> Names, Action Follow) Magnitudes(IReadOnlyList<RotatedSpace> spaces)
    {
        var readers = spaces
            .SelectMany(space => space.Slices)
            .Where(slice => slice.Gain is not null)
            .Select(slice => slice.Tensor)
            .ToHashSet(StringComparer.Ordinal);
        IMagnitudeKeeper[] keepers = [.. _states.OfType<IMagnitudeKeeper>()];
        string[] names = [.. keepers.SelectMany(keeper => keeper.MagnitudesOf(readers))];
        if (names.Length == 0) return ([], () => { });
        var before = Copies(names).Select(copy => (Copy: copy, Lengths: Lengths(copy))).ToList();
        return (names, Follow);

        Dictionary<string, double[]> Lengths(Func<string, Tensor?> copy)
        {
            using var scope = NewDisposeScope();
            using var ungraded = no_grad();
            return keepers
                .SelectMany(keeper => keeper.RowLengths(readers, name => copy(name) ?? Weight(name)))
                .ToDictionary(entry => entry.Magnitude, entry => Read(entry.Lengths), StringComparer.Ordinal);
        }

        void Follow()
        {
            using var scope = NewDisposeScope();
            using var ungraded = no_grad();
            foreach (var (index, (copy, lengths)) in before.Index())
            {
                var now = Lengths(copy);
                foreach (string name in names)
                {
                    if (copy(name) is not { } magnitude) continue;
                    var factors = AxisFactors.Along(0, [.. now[name].Zip(lengths[name], (after, then) => then == 0 ? 1 : after / then)]);
                    StateTransport.Scale(new StateTensor(name, magnitude, 1), factors);
                    if (index > 0) continue;
                    foreach (var states in _states)
                    {
                        foreach (var state in states.StateOf(name).Where(state => state.Degree < 0)) StateTransport.Scale(state, factors);
                        if (Master(name) is not null) (states as IOptimizerState)?.RefreshFromMaster(name);
                    }
                }
            }
        }
    }

    /// <summary>Why a space cannot be rotated as the gains are now; null where it can.</summary>
    internal string? Obstacle(RotatedSpace space)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        return NormGains.Obstacle(space, gain => Read(Gain(Weight(gain.Tensor), gain)));
    }

    /// <summary>
    /// How what reads and writes a space is spread over its axes: the sum over tensors of their products with themselves, each divided by
    /// its trace. Weights that read behind a norm are taken with its gain g, W diag(g), which is what reads the plain stream. Gradients are
    /// taken as the optimizer has them. G diag(1/g), the gradient of W diag(g), would make a single reader's covariance exactly diagonal
    /// whatever g' is; but then a channel with a small gain outweighs all others in its share, and training gained less.
    /// </summary>
    /// <param name="space">The space.</param>
    /// <param name="values">The tensor to take for a parameter; null to leave it out.</param>
    /// <param name="areWeights">True where the values are weights, false where they are gathered from gradients.</param>
    /// <param name="innerOnly">True to leave embeddings and the output projection out.</param>
    /// <returns>[size, size] in float64 on the CPU.</returns>
    internal Tensor Covariance(RotatedSpace space, Func<string, Tensor?> values, bool areWeights, bool innerOnly)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var sum = zeros([space.Size, space.Size], ScalarType.Float64);
        var gains = space
            .Gains.Where(gain => areWeights && !gain.MustBeUniform)
            .ToDictionary(gain => gain.Tensor, gain => Gain(Weight(gain.Tensor), gain));
        foreach (var slices in space.Slices.GroupBy(slice => slice.Tensor))
        {
            if (slices.First().Role is SliceRole.Bias) continue;
            if (innerOnly && slices.First().Role is SliceRole.Embedding or SliceRole.Head) continue;
            if (values(slices.Key) is not { } tensor) continue;
            using var inner = NewDisposeScope();
            var type = tensor.dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;
            var parts = slices.Select(slice =>
            {
                var part = tensor.narrow(slice.Axis, slice.Start, space.Size).transpose(slice.Axis, -1).to(type).reshape(-1, space.Size);
                if (slice.Gain is null || !gains.TryGetValue(slice.Gain, out var gain)) return part;
                return part * gain.to(type);
            }).ToList();
            var gram = Gram(parts);
            double trace = gram.trace().AsDouble();
            if (trace is not (> Smallest and < Largest))
            {
                // Squares that a type does not hold.
                double length = parts[0].abs().amax().AsDouble();
                foreach (var part in parts.Skip(1)) length = Math.Max(length, part.abs().amax().AsDouble());
                if (!double.IsFinite(length))
                    throw new WiscaException(
                        $"what is kept for parameter '{slices.Key}' holds NaN or infinity",
                        "the run has diverged; go back to an earlier checkpoint, with a lower learning rate");
                if (length == 0) continue;
                gram = Gram([.. parts.Select(part => part.Over(length))]);
                trace = gram.trace().AsDouble();
            }

            sum.Plus_(gram.to(ScalarType.Float64).cpu(), 1 / trace);
        }

        static Tensor Gram(List<Tensor> parts)
        {
            var gram = parts[0].transpose(0, 1).matmul(parts[0]);
            foreach (var part in parts.Skip(1)) gram.Plus_(part.transpose(0, 1).matmul(part));
            return gram;
        }

        return sum.MoveToOuterDisposeScope();
    }

    /// <summary>The optimizer's momentum of a parameter; null where it has none.</summary>
    internal Tensor? Momentum(string tensor) =>
        _states.SelectMany(states => states.StateOf(tensor)).FirstOrDefault(state => state.Degree == -1)?.Tensor;

    /// <summary>The tensor that holds the weight: the parameter, or its master.</summary>
    internal Tensor Weight(string tensor) => Master(tensor) ?? _parameters[tensor];

    /// <summary>Copies tensors and what is kept beside them, to put it back.</summary>
    /// <returns>What puts it back and frees the copies; call it once, or free them.</returns>
    internal IReadOnlyList<(Tensor Tensor, Tensor Copy)> Copied(IEnumerable<string> tensors, bool moments)
    {
        using var ungraded = no_grad();
        return
        [
            .. tensors
                .Distinct()
                .SelectMany(name =>
                    Kept.SelectMany(states => states.StateOf(name))
                        .Where(state => moments || state.Degree > 0)
                        .Select(state => state.Tensor)
                        .Prepend(_parameters[name]))
                .Select(tensor => (tensor, tensor.detach().clone().DetachFromDisposeScope())),
        ];
    }

    /// <summary>The products of a matrix's rows (axis 0) or columns (axis 1) with each other.</summary>
    public double[,] Gram(string name, int axis)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var rows = AlongAxis(Weight(name), axis);
        double[] values = Read(rows.matmul(rows.transpose(0, 1)).contiguous());
        if (!Array.TrueForAll(values, double.IsFinite)) throw NotFinite(name);
        int length = (int)rows.shape[0];
        double[,] gram = new double[length, length];
        Buffer.BlockCopy(values, 0, gram, 0, values.Length * sizeof(double));
        return gram;
    }

    /// <summary>What is to be read and written as the weights are: they themselves, and every average of them.</summary>
    private IEnumerable<Func<string, Tensor?>> Copies(string[] tensors)
    {
        yield return Weight;
        foreach (var states in Kept)
        {
            var names = tensors
                .SelectMany(states.StateOf)
                .Where(state => state.Degree > 0 && state.Name != OptimizedParameter.MasterName)
                .Select(state => state.Name)
                .Distinct();
            foreach (string name in names)
                yield return tensor => states.StateOf(tensor).FirstOrDefault(state => state.Name == name)?.Tensor;
        }
    }

    private Dictionary<string, GainChange> Changes(
        RotatedSpace space, Tensor turn, double[,] rotation, GainPolicy policy, Func<string, Tensor?> copy) =>
        space.Gains.ToDictionary(
            gain => gain.Tensor,
            gain =>
            {
                if (gain.MustBeUniform) return new GainChange(turn, null, null);
                var stored = copy(gain.Tensor) ?? Weight(gain.Tensor);
                var before = Gain(stored, gain);
                if (policy == GainPolicy.Fold) return new GainChange(turn, before, ones_like(before));

                // As it will be stored: its readers make up for that.
                var after = tensor(NormGains.Follow(Read(before), rotation), device: before.device);
                return new GainChange(turn, before, Gain((gain.AddsOne ? after.Plus(-1) : after).to(stored.dtype), gain));
            },
            StringComparer.Ordinal);

    internal static Tensor Gain(Tensor stored, RotatedGain gain)
    {
        var wide = stored.detach().to(ScalarType.Float64, copy: true);
        return gain.AddsOne ? wide.Plus(1) : wide;
    }

    /// <summary>T'[.., start + j, ..] = sum over i of T[.., start + i, ..] matrix[i, j].</summary>
    internal static void Turn(Tensor target, int axis, int start, Tensor matrix)
    {
        using var scope = NewDisposeScope();
        var part = target.narrow(axis, start, matrix.shape[0]);
        part.copy_(part.to(ScalarType.Float64).transpose(axis, -1).matmul(matrix).transpose(axis, -1));
    }

    /// <summary>All states but weights that are computed anew from where they were at first.</summary>
    private IEnumerable<IParameterState> Kept => _states.Where(states => states is not FrozenWeights);

    private bool IsFrozen(string tensor) => _states.OfType<FrozenWeights>().Any(frozen => frozen.Holds(tensor));

    private Tensor? Master(string tensor) =>
        _states
            .OfType<IOptimizerState>()
            .SelectMany(states => states.StateOf(tensor))
            .FirstOrDefault(state => state.Name == OptimizedParameter.MasterName)
            ?.Tensor;

    /// <summary>For each index along an axis the sum of the second moments; null where none are kept.</summary>
    private double[]? SecondMoments(string tensor, int axis)
    {
        if (!MeasuresSecondMoments) return null;
        foreach (var state in _states.SelectMany(states => states.StateOf(tensor)).Where(state => state.Degree == -2))
        {
            // A Gram matrix has them on its diagonal. Coordinates in a basis have the same sum of squares as what they are those of.
            int[] follow = state.AxesAlong(axis);
            if (follow.Length == 2) return Read(state.Tensor.diagonal().to(ScalarType.Float64));
            if (follow.Length == 1) return Read(AlongAxis(state.Tensor, follow[0]).sum(1));
        }

        return null;
    }

    /// <summary>[length of the axis, all else] in float64.</summary>
    private static Tensor AlongAxis(Tensor tensor, int axis, int parts = 1, double offset = 0, double[]? others = null)
    {
        var wide = tensor.detach().to(ScalarType.Float64);
        if (offset != 0) wide = wide.Plus(offset);
        if (wide.dim() == 1) return wide.unsqueeze(1);
        long columns = wide.shape[^1];
        wide = wide.reshape(-1, columns);
        if (others is not null && axis == 1) wide = wide * torch.tensor(others, device: wide.device).unsqueeze(1);
        else if (others is not null)
        {
            // Columns of each matrix of a stack, or of all rows.
            long of = others.Length / columns;
            wide = (wide.reshape(of, -1, columns) * torch.tensor(others, device: wide.device).reshape(of, 1, columns)).reshape(-1, columns);
        }

        return axis == 0 ? wide
            : parts == 1 ? wide.transpose(0, 1)
            : wide.reshape(parts, -1, columns).transpose(1, 2).reshape(parts * columns, -1);
    }

    private static WiscaException NotFinite(string tensor) =>
        new(
            $"parameter '{tensor}' holds NaN or infinity",
            "the run has diverged; go back to an earlier checkpoint, with a lower learning rate");

    private static double[] Read(Tensor values) => values.cpu().data<double>().ToArray();

    private static void MultiplyAlong(Tensor target, int axis, int start, Tensor factors)
    {
        using var scope = NewDisposeScope();
        long[] shape = new long[target.dim()];
        Array.Fill(shape, 1);
        shape[axis] = factors.shape[0];
        target.narrow(axis, start, factors.shape[0]).mul_(factors.to(target.dtype).reshape(shape));
    }

    /// <summary>
    /// A rotation with a gain before and after it, both null where it commutes with any, and what follows from the three. The matrices are
    /// made once for all tensors that turn by them.
    /// </summary>
    private sealed class GainChange
    {
        private readonly Tensor _turn;
        private readonly Lazy<TurnMatrix> _weights, _momenta, _squares;
        private readonly Lazy<Tensor?> _kept;
        private readonly Lazy<GainChange> _inverse, _guarded;

        public GainChange(Tensor turn, Tensor? before, Tensor? after)
        {
            (_turn, Before, After) = (turn, before, after);
            _weights = new(() => new TurnMatrix(Before is null ? _turn : Before.unsqueeze(1) * _turn / After!));
            _momenta = new(() => Before is null ? _weights.Value : Inverse.Weights);
            _squares = new(() => new TurnMatrix(Momenta.Wide.Squared()));
            _kept = new(() => Before is null ? null : (After! / Before).Squared());
            _inverse = new(() => Before is null ? this : new GainChange(_turn, Before.reciprocal(), After!.reciprocal()));
            _guarded = new(Guard);
        }

        public Tensor? Before { get; }

        public Tensor? After { get; }

        /// <summary>The change of what is multiplied by the gain instead of dividing by it: a norm's bias.</summary>
        public GainChange Inverse => _inverse.Value;

        /// <summary>
        /// The change that a momentum and second moments follow, which are divided by gains and by gains' squares. They were gathered while
        /// a gain was another one, and one that a step can take through zero would put them out of proportion by any number: none counts
        /// as less than a part of all gains' root mean square.
        /// </summary>
        public GainChange Guarded => _guarded.Value;

        /// <summary>diag(g) R diag(1/g').</summary>
        public TurnMatrix Weights => _weights.Value;

        /// <summary>diag(1/g) R diag(g').</summary>
        public TurnMatrix Momenta => _momenta.Value;

        /// <summary>The squares of its elements.</summary>
        public TurnMatrix Squares => _squares.Value;

        /// <summary>(g'/g)^2, of second moments that stay with their axes; null for ones.</summary>
        public Tensor? Kept => _kept.Value;

        private GainChange Guard()
        {
            if (Before is null) return this;
            double least = SmallestGain * Math.Sqrt(Before.Squared().mean().AsDouble());
            double[] gains = Array.ConvertAll(Read(Before.cpu()), gain => gain < 0 ? Math.Min(gain, -least) : Math.Max(gain, least));
            return new GainChange(_turn, tensor(gains, device: Before.device), After);
        }
    }
}
