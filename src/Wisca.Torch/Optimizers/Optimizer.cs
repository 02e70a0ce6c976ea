using Wisca.Communication;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Torch.Optimizers;

/// <summary>
/// Updates named parameters from their gradients. State is kept by parameter name, in float32 for 16-bit parameters (which also get a
/// float32 master that is rounded into them after each step) and in the parameter's own type otherwise. It comes into being at a
/// parameter's first step; a parameter without a gradient is passed over. Build it when the parameters are on their device.
/// </summary>
public abstract class Optimizer : IOptimizerState, IDisposable
{
    private readonly Dictionary<string, OptimizedParameter> _byName = new(StringComparer.Ordinal);
    private readonly List<OptimizedParameter> _parameters = [];
    private OptimizerShard? _shard;

    private protected Optimizer(IEnumerable<(string name, Parameter parameter)> parameters, ParameterSettings settings)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(settings);
        TorchRuntime.Require();
        var groups = new ParameterGroups(settings);
        foreach (var (name, parameter) in parameters)
        {
            var optimized = groups.Resolve(name, parameter);
            if (!_byName.TryAdd(name, optimized)) throw new ArgumentException($"two parameters are called {name}", nameof(parameters));
            CheckContiguous(name, parameter);
            _parameters.Add(optimized);
        }

        groups.CheckUsed();
    }

    /// <summary>The parameters' names, in the order they were given.</summary>
    public IEnumerable<string> ParameterNames => _parameters.Select(parameter => parameter.Name);

    /// <summary>The optimizer's name, as saved state has it: <c>adamw</c>.</summary>
    public abstract string Kind { get; }

    private protected IReadOnlyList<OptimizedParameter> Parameters => _parameters;

    /// <summary>Updates every parameter that has a gradient.</summary>
    /// <param name="learningRate">The learning rate of this step,
    /// before the multipliers of single parameters. Not negative, finite.</param>
    /// <exception cref="WiscaException">A parameter is not contiguous in memory.</exception>
    public void Step(double learningRate)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(learningRate);
        if (!double.IsFinite(learningRate)) throw new ArgumentOutOfRangeException(nameof(learningRate), learningRate, "not finite");
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var updates = new List<ParameterUpdate>(_parameters.Count);
        foreach (var parameter in _parameters)
        {
            if (parameter.Parameter.grad is not { } gradient) continue;
            CheckContiguous(parameter.Name, parameter.Parameter);
            if (IsElsewhere(parameter))
            {
                parameter.Steps++;
                continue;
            }

            if (parameter.NeedsMaster && parameter.Master is null) parameter.CreateMaster();
            if (parameter.State.Count == 0) parameter.CreateState(Layout(parameter));
            parameter.Steps++;
            updates.AddRange(
                new ParameterUpdate(
                    parameter, parameter.Master ?? parameter.Parameter, gradient.to(parameter.StateType).contiguous()
                ).Split());
        }

        if (updates.Count > 0) Update(updates, learningRate);
        foreach (var update in updates) update.PutBack();
        var mastered = updates.Select(update => update.Parameter).Where(parameter => parameter.Master is not null).Distinct().ToList();
        if (mastered.Count > 0)
            OptimizerKernels.Copy(
                [.. mastered.Select(parameter => (Tensor)parameter.Parameter)],
                [.. mastered.Select(parameter => parameter.Master!)]);
        _shard?.ShareWeights(_parameters);
    }

    /// <summary>
    /// Keeps the state of a part of the parameters only from here on, and updates those; their weights come from the ranks that have
    /// theirs. Every rank is given the same gradients. A rank has whole parameters, so that updates of whole matrices are what they were.
    /// </summary>
    /// <param name="communicator">The ranks.</param>
    /// <exception cref="InvalidOperationException">A step was made already.</exception>
    public void Shard(ICommunicator communicator)
    {
        ArgumentNullException.ThrowIfNull(communicator);
        if (_parameters.Any(parameter => parameter.Steps > 0)) throw new InvalidOperationException("a step was made already");
        if (communicator.Size > 1) _shard = new OptimizerShard(communicator, _parameters);
    }

    /// <summary>Gives rank 0, which calls <see cref="Save"/>, the state that this rank has.</summary>
    public void SendState() => _shard?.SendState(_parameters, Layout);

    /// <summary>Has all state here until the result is disposed of, to be read.</summary>
    public IDisposable? Gather() => _shard?.Gather(_parameters, Layout);

    /// <summary>True where another rank keeps state of a parameter.</summary>
    internal bool HasStateElsewhere(string parameter) =>
        _byName.GetValueOrDefault(parameter) is { Steps: > 0 } found && IsElsewhere(found);

    private bool IsElsewhere(OptimizedParameter parameter) => _shard?.IsElsewhere(parameter) ?? false;

    /// <summary>Forgets all gradients.</summary>
    /// <param name="free">
    /// True, the default, to free them, so that the next backward pass brings its own memory and parameters that took no part are passed
    /// over; false to fill them with zeros.
    /// </param>
    public void ZeroGradients(bool free = true)
    {
        using var scope = NewDisposeScope();
        foreach (var parameter in _parameters)
        {
            if (parameter.Parameter.grad is not { } gradient) continue;
            if (free) parameter.Parameter.grad = null;
            else gradient.zero_();
        }
    }

    /// <summary>The Euclidean norm of all gradients together; not finite where one of them holds something that is not.</summary>
    public double GradientNorm()
    {
        using var scope = NewDisposeScope();
        return Norm(Gradients());
    }

    /// <summary>
    /// Scales all gradients by one factor so that their norm is at most maxNorm. Gradients whose norm is not finite stay as they are: look
    /// at the result before the step.
    /// </summary>
    /// <param name="maxNorm">The largest norm allowed; positive, and infinity only measures.</param>
    /// <param name="kind">Which norm.</param>
    /// <returns>The norm before.</returns>
    public double ClipGradients(double maxNorm, ClipNorm kind = ClipNorm.Gradient)
    {
        if (!(maxNorm > 0)) throw new ArgumentOutOfRangeException(nameof(maxNorm), maxNorm, "not positive");
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var gradients = Gradients();
        double norm = Norm(kind == ClipNorm.Relative ? Relative() : gradients);
        if (double.IsFinite(norm) && norm > maxNorm) OptimizerKernels.Multiply([.. gradients], maxNorm / norm);
        return norm;
    }

    /// <summary>The parameters whose gradients hold NaN or infinity: what to tell the user when the norm is not finite.</summary>
    public IReadOnlyList<string> NonFiniteGradients()
    {
        using var scope = NewDisposeScope();
        return
        [
            .. _parameters
                .Where(parameter => parameter.Parameter.grad is { } gradient && !gradient.isfinite().all().AsBoolean())
                .Select(parameter => parameter.Name),
        ];
    }

    /// <inheritdoc />
    public IReadOnlyList<StateTensor> StateOf(string parameter) => _byName.GetValueOrDefault(parameter)?.All ?? [];

    /// <summary>Updates of a parameter since its first or its last reset.</summary>
    /// <param name="parameter">The parameter's name.</param>
    public long StepsOf(string parameter) => Find(parameter).Steps;

    /// <inheritdoc />
    public void Reset(string parameter) => Find(parameter).DropState();

    /// <inheritdoc />
    public void RefreshFromMaster(string parameter)
    {
        var found = Find(parameter);
        if (found.Master is null) return;
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        found.Parameter.copy_(found.Master);
    }

    /// <inheritdoc />
    public bool HasEpsilon(string parameter) => _byName.GetValueOrDefault(parameter) is { } found && HasEpsilon(found);

    /// <inheritdoc />
    public void MultiplyEpsilon(string parameter, double factor)
    {
        var found = Find(parameter);
        CheckFactor(factor);
        if (!HasEpsilon(found)) throw new NotSupportedException($"{parameter}: its update by {Kind} has no epsilon");
        found.EpsilonFactor *= factor;
    }

    /// <inheritdoc />
    public void MultiplyLearningRate(string parameter, double factor, bool keepDecay = true)
    {
        var found = Find(parameter);
        CheckFactor(factor);
        found.LearningRateFactor *= factor;
        if (keepDecay) found.DecayFactor /= factor;
    }

    /// <summary>
    /// Writes the state as a safetensors file: tensors called <c>parameter/state</c> in their own types, step counts and the factors of
    /// <see cref="MultiplyLearningRate"/> and <see cref="MultiplyEpsilon"/> in the metadata. Settings are not part of it.
    /// </summary>
    /// <param name="path">The file; it is replaced once the new one is complete.</param>
    /// <exception cref="WiscaException">The file cannot be written.</exception>
    public void Save(string path)
    {
        using var all = _shard?.ReceiveState(_parameters, Layout);
        OptimizerStateFile.Save(path, Kind, _parameters);
    }

    /// <summary>Reads what <see cref="Save"/> wrote, to the bit.
    /// Tensors of <see cref="StateOf"/> from before are no longer valid.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="WiscaException">
    /// The file is not the state of this kind of optimizer over parameters of these names, shapes and types; the message lists the
    /// differences, and the state is what it was before.
    /// </exception>
    public void Load(string path) => OptimizerStateFile.Load(path, Kind, _parameters, Layout, IsElsewhere);

    /// <inheritdoc />
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the state.</summary>
    /// <param name="disposing">True when called by <see cref="Dispose()"/>.</param>
    protected virtual void Dispose(bool disposing)
    {
        if (!disposing) return;
        foreach (var parameter in _parameters)
        {
            parameter.DropState();
            parameter.DropMaster();
        }
    }

    /// <summary>The state a parameter has after its first step, beside the master.</summary>
    private protected abstract IReadOnlyList<StateLayout> Layout(OptimizedParameter parameter);

    private protected abstract bool HasEpsilon(OptimizedParameter parameter);

    /// <summary>Changes the weights of the updates; their step counts already include this step.</summary>
    private protected abstract void Update(IReadOnlyList<ParameterUpdate> updates, double learningRate);

    private OptimizedParameter Find(string parameter) =>
        _byName.GetValueOrDefault(parameter)
        ?? throw new ArgumentException($"the optimizer has no parameter {parameter}", nameof(parameter));

    private List<Tensor> Gradients() => [.. _parameters.Select(parameter => parameter.Parameter.grad).OfType<Tensor>()];

    /// <summary>Gradient times weight; of 16-bit ones in float32.</summary>
    private List<Tensor> Relative() =>
    [
        .. _parameters
            .Where(parameter => parameter.Parameter.grad is not null)
            .Select(parameter => parameter.Parameter.grad!.to(parameter.StateType)
                * (parameter.Master ?? parameter.Parameter).to(parameter.StateType)),
    ];

    private static double Norm(List<Tensor> gradients)
    {
        double sum = 0;
        var wide = gradients.Select(gradient =>
            gradient.dtype is ScalarType.Float16 or ScalarType.BFloat16 ? gradient.to(ScalarType.Float32) : gradient);
        foreach (var group in wide.GroupBy(gradient => (gradient.dtype, gradient.device.ToString())))
        {
            double norm = OptimizerKernels.Norms([.. group]).to(ScalarType.Float64).norm().AsDouble();
            sum += norm * norm;
        }

        return Math.Sqrt(sum);
    }

    private static void CheckFactor(double factor)
    {
        if (!(factor > 0) || !double.IsFinite(factor))
            throw new ArgumentOutOfRangeException(nameof(factor), factor, "not positive and finite");
    }

    private static void CheckContiguous(string name, Tensor parameter)
    {
        if (parameter.is_contiguous()) return;
        throw new WiscaException(
            $"{name}: the parameter is not contiguous in memory, and its update would go to wrong elements",
            "make the parameter from a contiguous tensor: tensor.contiguous()");
    }
}
