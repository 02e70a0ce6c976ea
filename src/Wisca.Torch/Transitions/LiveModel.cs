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
    /// <param name="axis">0 for rows, 1 for columns.</param>
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
            SumOfSecondMoments = SecondMoments(tensor, axis) is { } moments ? Read(moments) : null,
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
        if (!hasMaster) StateTransport.Scale(new StateTensor(name, _parameters[name], 1), factors);
        foreach (var states in _states)
        {
            if (policy == StatePolicy.Reset && states.StateOf(name).Count > 0) (states as IOptimizerState)?.Reset(name);
            foreach (var state in states.StateOf(name))
            {
                if (state.Degree > 0 || policy == StatePolicy.Transport) StateTransport.Scale(state, factors);
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
        if (!hasMaster) StateTransport.Mix(new StateTensor(name, _parameters[name], 1), axis, matrix, inverse);
        foreach (var states in _states)
        {
            if (policy == StatePolicy.Reset && states.StateOf(name).Count > 0) (states as IOptimizerState)?.Reset(name);
            foreach (var state in states.StateOf(name))
            {
                if (state.Degree > 0 || policy == StatePolicy.Transport) StateTransport.Mix(state, axis, matrix, inverse);
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

    private Tensor Weight(string tensor) => Master(tensor) ?? _parameters[tensor];

    private Tensor? Master(string tensor) =>
        _states
            .OfType<IOptimizerState>()
            .SelectMany(states => states.StateOf(tensor))
            .FirstOrDefault(state => state.Name == "master")
            ?.Tensor;

    /// <summary>For each index along an axis the sum of the second moments; null where none are kept.</summary>
    private Tensor? SecondMoments(string tensor, int axis)
    {
        foreach (var state in _states.SelectMany(states => states.StateOf(tensor)).Where(state => state.Degree == -2))
        {
            // A Gram matrix has them on its diagonal. Coordinates in a basis have the same sum of squares as what they are those of.
            int[] follow = state.AxesAlong(axis);
            if (follow.Length == 2) return state.Tensor.diagonal().to(ScalarType.Float64);
            if (follow.Length == 1) return AlongAxis(state.Tensor, follow[0]).sum(1);
        }

        return null;
    }

    /// <summary>[length of the axis, all else] in float64.</summary>
    private static Tensor AlongAxis(Tensor tensor, int axis)
    {
        var wide = tensor.detach().to(ScalarType.Float64);
        return wide.dim() == 1 ? wide.unsqueeze(1) : axis == 0 ? wide : wide.transpose(0, 1);
    }

    private static double[] Read(Tensor values) => values.cpu().data<double>().ToArray();
}
