using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Torch.Optimizers;

/// <summary>A parameter with its settings and what its optimizer keeps for it.</summary>
internal sealed class OptimizedParameter(
    string name, Parameter parameter, double learningRateMultiplier, double weightDecay, double epsilonMultiplier)
{
    public const string MasterName = "master";

    private readonly double _learningRateMultiplier = learningRateMultiplier,
        _weightDecay = weightDecay,
        _epsilonMultiplier = epsilonMultiplier;

    public string Name { get; } = name;

    public Parameter Parameter { get; } = parameter;

    /// <summary>Parts with settings of their own, which cover the parameter; empty where it has one for all.</summary>
    public IReadOnlyList<PartSettings> Parts { get; init; } = [];

    /// <summary>Updates since the first, or since a reset.</summary>
    public long Steps { get; set; }

    /// <summary>The moments and the like; empty before the first step.</summary>
    public List<StateTensor> State { get; } = [];

    /// <summary>The float32 weights behind a 16-bit parameter; null before the first step, and for wider parameters.</summary>
    public Tensor? Master { get; set; }

    // What was multiplied while training. Kept apart from the settings, because it belongs to the saved state and they do not.
    public double LearningRateFactor { get; set; } = 1;

    public double DecayFactor { get; set; } = 1;

    public double EpsilonFactor { get; set; } = 1;

    public double LearningRateMultiplier => _learningRateMultiplier * LearningRateFactor;

    public double WeightDecay => _weightDecay * DecayFactor;

    public double EpsilonMultiplier => _epsilonMultiplier * EpsilonFactor;

    public bool NeedsMaster => Parameter.dtype is ScalarType.Float16 or ScalarType.BFloat16;

    /// <summary>The type of the weights that are updated, and of all state.</summary>
    public ScalarType StateType => NeedsMaster ? ScalarType.Float32 : Parameter.dtype;

    public Tensor this[string state] => State.First(tensor => tensor.Name == state).Tensor;

    public IReadOnlyList<StateTensor> All => Master is null ? [.. State] : [.. State, new StateTensor(MasterName, Master, 1)];

    /// <summary>Makes the state what the layout says, all zeros.</summary>
    public void CreateState(IReadOnlyList<StateLayout> layout) =>
        PutState(
            layout,
            layout.ToDictionary(
                state => state.Name, state => zeros(state.ShapeFor(Parameter), StateType, Parameter.device).DetachFromDisposeScope()));

    /// <summary>Makes the state what the layout says, of given tensors, which are its own from here on.</summary>
    public void PutState(IReadOnlyList<StateLayout> layout, IReadOnlyDictionary<string, Tensor> tensors)
    {
        foreach (var (state, degree, axes) in layout)
        {
            var kept = new StateTensor(state, tensors[state], degree);
            State.Add(
                axes.Count == 0
                    ? kept
                    : kept with
                    {
                        Axes =
                        [
                            .. axes.Select(axis =>
                                new StateAxis(axis.Follows ? axis.Axis : null, axis.Basis is null ? null : tensors[axis.Basis])),
                        ],
                    });
        }
    }

    public void CreateMaster() => Master = Parameter.detach().to(ScalarType.Float32).DetachFromDisposeScope();

    public void DropState()
    {
        foreach (var state in State) state.Tensor.Dispose();
        State.Clear();
        Steps = 0;
    }

    public void DropMaster()
    {
        Master?.Dispose();
        Master = null;
    }
}
