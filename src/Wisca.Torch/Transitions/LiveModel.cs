using System.Diagnostics.CodeAnalysis;
using TorchSharp;
using Wisca.Numerics;
using Wisca.Safetensors;
using Wisca.Torch.Optimizers;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Torch.Transitions;

/// <summary>
/// The tensors of a model in training as a transition sees them: where an optimizer keeps a float32 master of a 16-bit parameter, the
/// master is the weight, and the parameter its copy. Sums are in float64, products are formed in float64 and rounded once, as on disk.
/// </summary>
public sealed class LiveModel : ITensorSource
{
    private readonly Dictionary<string, Tensor> _parameters;
    private readonly IReadOnlyList<IParameterState> _states;

    /// <summary>The model of these parameters.</summary>
    /// <param name="parameters">Each with its name in a checkpoint.</param>
    /// <param name="states">What optimizers keep of them: a master there is the weight, second moments serve Fisher's criterion.</param>
    public LiveModel(IEnumerable<(string Name, Tensor Parameter)> parameters, IReadOnlyList<IParameterState> states)
    {
        _parameters = parameters.ToDictionary(entry => entry.Name, entry => entry.Parameter, StringComparer.Ordinal);
        _states = states;
    }

    /// <summary>Names, types and shapes, as an architecture table wants them.</summary>
    public IEnumerable<TensorInfo> Infos =>
        _parameters.Select(entry => new TensorInfo(entry.Key, entry.Value.dtype.ToDtype(), [.. entry.Value.shape], 0, 0));

    /// <summary>Finds a parameter itself: not its master.</summary>
    /// <param name="name">Its name in a checkpoint.</param>
    /// <param name="parameter">The parameter; null where there is none.</param>
    public bool TryFind(string name, [MaybeNullWhen(false)] out Tensor parameter) => _parameters.TryGetValue(name, out parameter);

    /// <inheritdoc/>
    public Dtype DtypeOf(string tensor) => Weight(tensor).dtype.ToDtype();

    /// <inheritdoc/>
    public int LengthOf(string tensor, int axis) => (int)_parameters[tensor].shape[axis];

    /// <inheritdoc/>
    public AxisStatistics Measure(string tensor, int axis)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var magnitudes = AlongAxis(Weight(tensor), axis).abs();
        double[] sums = Read(magnitudes.sum(1));
        if (!Array.TrueForAll(sums, double.IsFinite))
            throw new WiscaException(
                $"parameter '{tensor}' holds NaN or infinity",
                "the run has diverged; go back to an earlier checkpoint, with a lower learning rate");
        using var infinity = double.PositiveInfinity.ToScalar();
        var nonzero = magnitudes.masked_fill(magnitudes.logical_not(), infinity);
        return new AxisStatistics(
            sums, Read(magnitudes.Squared().sum(1)), Read(nonzero.amin([1])), Read(magnitudes.amax([1])), magnitudes.shape[1])
        {
            SumOfSecondMoments = SecondMoments(tensor) is { } moments ? Read(AlongAxis(moments, axis).sum(1)) : null,
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
    public void Scale(string name, AxisFactors factors, StatePolicy policy)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        bool hasMaster = Master(name) is not null;
        if (!hasMaster) Multiply(_parameters[name], factors, 1);
        foreach (var states in _states)
        {
            if (policy == StatePolicy.Reset && states.StateOf(name).Count > 0) (states as IOptimizerState)?.Reset(name);
            foreach (var state in states.StateOf(name))
            {
                if (state.Degree > 0 || policy == StatePolicy.Transport) Multiply(state.Tensor, factors, state.Degree);
            }

            if (hasMaster) (states as IOptimizerState)?.RefreshFromMaster(name);
        }
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
        if (!hasMaster) Mix(_parameters[name], axis, matrix, 1);
        foreach (var states in _states)
        {
            if (policy == StatePolicy.Reset && states.StateOf(name).Count > 0) (states as IOptimizerState)?.Reset(name);
            foreach (var state in states.StateOf(name))
            {
                if (state.Degree > 0) Mix(state.Tensor, axis, matrix, state.Degree);
                else if (policy == StatePolicy.Transport) Mix(state.Tensor, axis, inverse, -state.Degree);
            }

            if (hasMaster) (states as IOptimizerState)?.RefreshFromMaster(name);
        }
    }

    /// <summary>The products of a matrix's rows (axis 0) or columns (axis 1) with each other.</summary>
    public double[,] Gram(string name, int axis)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var rows = AlongAxis(Weight(name), axis);
        double[] values = Read(rows.matmul(rows.transpose(0, 1)).contiguous());
        if (!Array.TrueForAll(values, double.IsFinite))
            throw new WiscaException(
                $"parameter '{name}' holds NaN or infinity",
                "the run has diverged; go back to an earlier checkpoint, with a lower learning rate");
        int length = (int)rows.shape[0];
        double[,] gram = new double[length, length];
        Buffer.BlockCopy(values, 0, gram, 0, values.Length * sizeof(double));
        return gram;
    }

    private static void Mix(Tensor target, int axis, double[,] matrix, int power)
    {
        var mixing = tensor(matrix, device: target.device);
        using var exponent = power.ToScalar();
        if (power > 1) mixing = mixing.pow(exponent);
        var wide = target.to(ScalarType.Float64);
        target.copy_(axis == 0 ? mixing.matmul(wide) : wide.matmul(mixing));
    }

    private static void Multiply(Tensor target, AxisFactors factors, int degree)
    {
        double[] powers = Array.ConvertAll(factors.Factors, factor => degree switch
        {
            1 => factor,
            -1 => 1 / factor,
            -2 => 1 / (factor * factor),
            _ => Math.Pow(factor, degree),
        });
        bool uniform = Array.TrueForAll(powers, power => power == powers[0]);
        var multiplier = tensor(uniform ? [powers[0]] : powers, device: target.device);
        if (!uniform && factors.Axis == 0 && target.dim() == 2) multiplier = multiplier.unsqueeze(1);
        if (Array.TrueForAll(powers, double.IsPow2)) target.mul_(multiplier.to(target.dtype));
        else target.copy_(target.to(ScalarType.Float64).mul_(multiplier));
    }

    private Tensor Weight(string tensor) => Master(tensor) ?? _parameters[tensor];

    private Tensor? Master(string tensor) =>
        _states
            .OfType<IOptimizerState>()
            .SelectMany(states => states.StateOf(tensor))
            .FirstOrDefault(state => state.Name == "master")
            ?.Tensor;

    private Tensor? SecondMoments(string tensor) =>
        _states.SelectMany(states => states.StateOf(tensor)).FirstOrDefault(state => state.Degree == -2)?.Tensor;

    /// <summary>[length of the axis, all else] in float64.</summary>
    private static Tensor AlongAxis(Tensor tensor, int axis)
    {
        var wide = tensor.detach().to(ScalarType.Float64);
        return wide.dim() == 1 ? wide.unsqueeze(1) : axis == 0 ? wide : wide.transpose(0, 1);
    }

    private static double[] Read(Tensor values) => values.cpu().data<double>().ToArray();
}
