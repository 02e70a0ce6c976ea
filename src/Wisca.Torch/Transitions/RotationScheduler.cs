using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using TorchSharp.Modules;
using Wisca.Architectures;
using Wisca.Checkpoints;
using Wisca.Rotations;
using Wisca.Safetensors;
using Wisca.Torch.Models;
using Wisca.Torch.Optimizers;
using static TorchSharp.torch;

namespace Wisca.Torch.Transitions;

/// <summary>
/// Rotates a model's spaces while it trains: the same function in a basis in which the covariance of its gradients is nearer to diagonal,
/// which is how an optimizer with a diagonal preconditioner sees it. Call <see cref="Observe(long)"/> between backward pass and update, and
/// <see cref="Step(long, Func{double}?)"/> after the update. Not for use from several threads.
/// </summary>
public sealed class RotationScheduler : IDisposable
{
    private const string TransitionsKey = "wisca.rotations";

    // A step of the covariance costs D / 3T of a training step on T tokens: of every fourth it is little at two thousand.
    private const int ObservedEvery = 4;

    private readonly LiveModel _model;
    private readonly RotationOptions _options;
    private readonly FrozenWeights? _frozen;
    private readonly Dictionary<string, Parameter> _parameters;
    private readonly Dictionary<string, Tensor> _totals = new(StringComparer.Ordinal), _averages = new(StringComparer.Ordinal);

    /// <param name="parameters">The model's parameters by name.</param>
    /// <param name="plan">What may be rotated; made from the same names.</param>
    /// <param name="options">Which of it, when, and how.</param>
    /// <param name="states">What is kept beside the parameters: the optimizer, averages of weights, and <see cref="FrozenWeights"/> where
    /// some do not train.</param>
    /// <exception cref="WiscaException">What is to be rotated cannot be, or the plan is not this model's.</exception>
    public RotationScheduler(
        IEnumerable<(string Name, Parameter Parameter)> parameters,
        RotationPlan plan,
        RotationOptions options,
        params IReadOnlyList<IParameterState> states)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(states);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Every, 1, nameof(options));
        OptionCheck.Decay("average of the covariance", options.Average);
        if (options.Fraction is not (> 0 and <= 1))
            throw new WiscaException($"the fraction of a rotation is {options.Fraction}, expected a number above 0 and at most 1");
        _parameters = parameters.ToDictionary(entry => entry.Name, entry => entry.Parameter, StringComparer.Ordinal);
        _model = new LiveModel(_parameters.Select(entry => (entry.Key, (Tensor)entry.Value)), states);
        _options = options;
        _frozen = states.OfType<FrozenWeights>().SingleOrDefault();
        RotationKind[] kinds =
        [
            .. options.Stream ? (RotationKind[])[RotationKind.Stream] : [],
            .. options.Values ? (RotationKind[])[RotationKind.ValueOutput] : [],
            .. options.Adapters ? (RotationKind[])[RotationKind.LoraFactors] : [],
        ];
        foreach (var kind in kinds)
        {
            if (plan.Spaces.Any(space => space.Kind == kind)) continue;
            throw new WiscaException(
                $"rotate {kind.Name()}: not exact in this model"
                + $"{(plan.Refusals.FirstOrDefault(refusal => refusal.Kind == kind) is { } refusal ? $": {refusal.Reason}" : "")}",
                "leave it out of rotate");
        }

        Spaces = [.. plan.Spaces.Where(space => kinds.Contains(space.Kind))];
        foreach (var space in Spaces)
        {
            Check(space);
            if (options.SourceOf(space.Kind) == RotationSource.Hadamard)
                _ = OrthogonalMatrix.Hadamard(space.Size, options.Seed, space.KeepsOnes);
            _totals[space.Name] = eye(space.Size, dtype: ScalarType.Float64).DetachFromDisposeScope();
        }
    }

    /// <summary>
    /// A scheduler for a model whose residual stream is named by hand, with one of TorchSharp's optimizers. Call
    /// <see cref="Observe()"/> between backward pass and update, and <see cref="Step()"/> after the update.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="optimizer">Its optimizer.</param>
    /// <param name="names">What reads and writes the stream.</param>
    /// <param name="options">When, how, and what becomes of the optimizer's state; values of kv heads have no names here.</param>
    /// <exception cref="WiscaException">The names do not fit the model or leave something out, a gain that must be uniform is not,
    /// or the optimizer is of a kind that is not known.</exception>
    public static RotationScheduler Attach(nn.Module model, optim.Optimizer optimizer, StreamNames names, RotationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(names);
        var parameters = Parameters(model);
        return Attached(parameters, NamedStream.Find(parameters, names), optimizer, options);
    }

    /// <summary>
    /// A scheduler for a model whose parameters carry Hugging Face names, with one of TorchSharp's optimizers. Call
    /// <see cref="Observe()"/> between backward pass and update, and <see cref="Step()"/> after the update.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="optimizer">Its optimizer.</param>
    /// <param name="config">Its <c>config.json</c>.</param>
    /// <param name="options">When, how, and what becomes of the optimizer's state.</param>
    /// <param name="table">An architecture table of one's own; null to find the built-in one by <c>model_type</c>.</param>
    /// <exception cref="WiscaException">The table does not fit the model, what is to be rotated cannot be,
    /// or the optimizer is of a kind that is not known.</exception>
    public static RotationScheduler Attach(
        nn.Module model, optim.Optimizer optimizer, ModelConfig config, RotationOptions? options = null, ArchitectureTable? table = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        var parameters = Parameters(model);
        return Attached(parameters, PlanFor(Distinct(parameters), config, table), optimizer, options);
    }

    /// <summary>What is rotated.</summary>
    public ImmutableArray<RotatedSpace> Spaces { get; }

    /// <summary>Number of optimizer steps that <see cref="Step()"/> has counted; set it where a run is resumed.</summary>
    public long CompletedSteps { get; set; }

    /// <summary>Number of rotations so far.</summary>
    public long Rotations { get; private set; }

    /// <summary>
    /// Gains that must stay uniform, as where the output projection is tied to the embedding: <see cref="Observe(long)"/> drops their
    /// gradients, so that they are not trained.
    /// </summary>
    public IReadOnlyList<string> FrozenGains =>
        [.. Spaces.SelectMany(space => space.Gains).Where(gain => gain.MustBeUniform).Select(gain => gain.Tensor).Distinct()
            .Where(gain => _parameters[gain].requires_grad)];

    /// <summary>Sees that gains that must be uniform are, which only the weights can tell.</summary>
    /// <exception cref="WiscaException">They are not: the model cannot be rotated.</exception>
    public void CheckGains()
    {
        foreach (var space in Spaces.Where(space => space.Gains.Any(gain => gain.MustBeUniform)))
        {
            if (_model.Obstacle(space) is { } obstacle)
                throw new WiscaException(
                    $"rotate {space.Kind.Name()}: not exact in this model: {obstacle}",
                    "a model whose output projection is tied to its embedding can be rotated where its last norm's gain is uniform, as in "
                    + "a new model");
        }
    }

    /// <summary>
    /// What may be rotated in a decoder in training. Gains of norms that write into the stream must be uniform, and training does not keep
    /// them so: then the stream is refused.
    /// </summary>
    /// <param name="model">The decoder, whose configuration came from a <c>config.json</c>.</param>
    /// <exception cref="WiscaException">No architecture table fits it.</exception>
    public static RotationPlan PlanFor(Decoder model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var source = model.Config.Source ?? throw new ArgumentException("the decoder has no config.json", nameof(model));
        return PlanFor(Parameters(model), source, null);
    }

    private static RotationPlan PlanFor(
        IEnumerable<(string Name, Parameter Parameter)> parameters, ModelConfig config, ArchitectureTable? table)
    {
        var live = new LiveModel(parameters.Select(entry => (entry.Name, (Tensor)entry.Parameter)), []);
        return RotationPlan.ForTraining(ModelLayout.Resolve(config, live.Infos, table), config.ModelType);
    }

    /// <summary>
    /// Takes up the gradients of every fourth step where the basis goes by them, and drops those of <see cref="FrozenGains"/>. Call it
    /// between the backward pass and clipping.
    /// </summary>
    /// <param name="step">Number of optimizer steps before this one.</param>
    /// <exception cref="WiscaException">Gradients hold NaN or infinity.</exception>
    public void Observe(long step)
    {
        using var scope = NewDisposeScope();
        if (step % ObservedEvery == 0 && step < (_options.Until ?? long.MaxValue))
        {
            double kept = Math.Pow(_options.Average, ObservedEvery);
            foreach (var space in Spaces.Where(space => _options.SourceOf(space.Kind) == RotationSource.Gradient))
            {
                var covariance = _model.Covariance(
                    space, name => _parameters[name].grad, areWeights: false, innerOnly: _options.InnerOnly);
                if (_averages.TryGetValue(space.Name, out var average))
                    average.Times_(kept).Plus_(covariance, 1 - kept);
                else _averages[space.Name] = covariance.Times(1 - kept).DetachFromDisposeScope();
            }
        }

        foreach (string gain in FrozenGains) _parameters[gain].grad = null;
    }

    /// <summary>Counts an optimizer step, and rotates where that is due.</summary>
    /// <returns>What was done; null where nothing was due.</returns>
    /// <exception cref="WiscaException">What the basis goes by is not there or not finite.</exception>
    public RotationEvent? Step() => Step(++CompletedSteps);

    /// <summary>Takes up gradients for the step that is under way; see <see cref="Observe(long)"/>.</summary>
    public void Observe() => Observe(CompletedSteps);

    /// <summary>Rotates where that is due after so many optimizer steps.</summary>
    /// <param name="step">Number of optimizer steps taken.</param>
    /// <param name="probe">The loss on a batch that stays the same, to verify that the function did; null to trust it.</param>
    /// <returns>What was done; null where nothing was due.</returns>
    /// <exception cref="WiscaException">What the basis goes by is not there or not finite, or the probe shows that the function changed; it
    /// is then taken back.</exception>
    public RotationEvent? Step(long step, Func<double>? probe = null) => _options.IsDue(step) ? Apply(step, probe) : null;

    /// <summary>Rotates now.</summary>
    /// <param name="step">Number of optimizer steps taken.</param>
    /// <param name="probe">The loss on a batch that stays the same, to verify that the function did; null to trust it.</param>
    /// <exception cref="WiscaException">As for <see cref="Step(long, Func{double}?)"/>.</exception>
    public RotationEvent Apply(long step, Func<double>? probe = null)
    {
        double before = probe?.Invoke() ?? 0;
        var copies = new List<(Tensor Tensor, Tensor Copy)>();
        try
        {
            var (magnitudes, follow) = _model.Magnitudes(Spaces);
            if (probe is not null)
            {
                copies.AddRange(
                    _model.Copied(
                        Spaces.SelectMany(space => space.Tensors).Concat(magnitudes), _options.State != SecondMomentPolicy.Reset));
            }

            var watch = Stopwatch.StartNew();
            var rotations = new List<(SpaceRotation Done, double[,] Matrix)>();
            foreach (var space in Spaces) rotations.Add(Rotate(space, step));
            if (_frozen is not null)
            {
                using var scope = NewDisposeScope();
                foreach (var (rotation, matrix) in rotations)
                    _frozen.Set(rotation.Space, _totals[rotation.Space.Name].matmul(tensor(matrix)));
                _frozen.Refresh();
            }

            follow();
            watch.Stop();
            var done = new RotationEvent(step, [.. rotations.Select(entry => entry.Done)], watch.Elapsed);
            if (probe is not null)
            {
                double after = probe();
                done = done with { Loss = (before, after) };
                if (!(Math.Abs(after - before) <= Tolerance * Math.Abs(before))) throw TakenBack(step, before, after, copies);
            }

            foreach (var (rotation, matrix) in rotations)
            {
                if (rotation.Skipped is null) Remember(rotation.Space, matrix);
            }

            Rotations++;
            return done;
        }
        finally
        {
            foreach (var (_, copy) in copies) copy.Dispose();
        }
    }

    /// <summary>The product of all rotations of a space so far: what lay along axis i at first is x R now, row i of R.</summary>
    /// <param name="space">The space.</param>
    /// <returns>[size, size].</returns>
    public double[,] TotalOf(RotatedSpace space)
    {
        ArgumentNullException.ThrowIfNull(space);
        return RotationBasis.ToArray(_totals[space.Name]);
    }

    /// <summary>Writes the products of all rotations, and the averages that the next go by, as a safetensors file in float64.</summary>
    /// <param name="path">The file; it is replaced once the new one is complete.</param>
    /// <exception cref="WiscaException">The file cannot be written.</exception>
    public void Save(string path) => StateFile.Write(
        path,
        [
            .. _totals.Select(entry => (RotationName(entry.Key), entry.Value)),
            .. _averages.Select(entry => (CovarianceName(entry.Key), entry.Value)),
            .. FrozenGainsByName().Select(entry => (entry.Name, (Tensor)entry.Live)),
        ],
        new Dictionary<string, string> { [TransitionsKey] = Rotations.ToString(CultureInfo.InvariantCulture) });

    /// <summary>Reads what <see cref="Save"/> wrote, to the bit.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="WiscaException">It is not the state of these rotations; nothing has changed.</exception>
    public void Load(string path)
    {
        using var file = SafetensorsFile.Open(path);
        string[] averaged =
        [
            .. Spaces
                .Where(space => _options.SourceOf(space.Kind) == RotationSource.Gradient)
                .Select(space => space.Name)
                .Where(name => file.Header.Find(CovarianceName(name)) is not null),
        ];
        StateFile.ThrowIfAny(
            [
                .. Spaces
                    .SelectMany(space => averaged.Contains(space.Name)
                        ? (string[])[RotationName(space.Name), CovarianceName(space.Name)]
                        : [RotationName(space.Name)],
                        (space, name) => StateFile.Difference(file, name, _totals[space.Name].shape, ScalarType.Float64))
                    .OfType<string>(),
                .. FrozenGainsByName()
                    .Select(gain => StateFile.Difference(file, gain.Name, gain.Live.shape, gain.Live.dtype))
                    .OfType<string>(),
            ],
            path, "the rotations are not those of this run");
        foreach (var space in Spaces) Replace(_totals, space.Name, RotationName(space.Name));
        foreach (string name in averaged) Replace(_averages, name, CovarianceName(name));
        if (_frozen is not null)
        {
            using var ungraded = no_grad();
            foreach (var (name, live) in FrozenGainsByName())
            {
                using var stored = StateFile.Read(file, file.Header.Find(name)!, live.dtype, live.device);
                live.copy_(stored);
            }

            foreach (var space in Spaces) _frozen.Set(space, _totals[space.Name]);
            _frozen.Refresh();
        }

        Rotations = file.Header.Metadata.TryGetValue(TransitionsKey, out string? count)
            && long.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : 0;

        void Replace(Dictionary<string, Tensor> tensors, string space, string name)
        {
            if (tensors.TryGetValue(space, out var old)) old.Dispose();
            tensors[space] = StateFile.Read(file, file.Header.Find(name)!, ScalarType.Float64, CPU);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in _totals.Values.Concat(_averages.Values)) tensor.Dispose();
    }

    /// <summary>A parameter that two modules share has the name of the first.</summary>
    private static List<(string Name, Parameter Parameter)> Distinct(IEnumerable<(string Name, Parameter Parameter)> parameters) =>
        [.. parameters.DistinctBy(entry => entry.Parameter.Handle)];

    private static List<(string Name, Parameter Parameter)> Parameters(nn.Module model) =>
        [.. model.named_parameters().Select(entry => (entry.name, entry.parameter))];

    private static RotationScheduler Attached(
        List<(string Name, Parameter Parameter)> parameters, RotationPlan plan, optim.Optimizer optimizer, RotationOptions? options)
    {
        var scheduler = new RotationScheduler(
            Distinct(parameters), plan, options ?? new RotationOptions(), new TorchSharpOptimizerState(optimizer, parameters));
        scheduler.CheckGains();
        return scheduler;
    }

    /// <summary>Gains that do not train and follow rotations: what they are is told by no other file.</summary>
    private IEnumerable<(string Name, Parameter Live)> FrozenGainsByName() =>
        from space in Spaces
        from gain in _frozen?.Gains(space) ?? []
        select ($"{space.Name}/{gain.Name}", gain.Live);

    private static string RotationName(string space) => $"{space}/rotation";

    private static string CovarianceName(string space) => $"{space}/covariance";

    /// <summary>How far a loss may move, relatively: by the rounding of weights.</summary>
    private double Tolerance => Spaces.SelectMany(space => space.Slices).Max(slice => _parameters[slice.Tensor].dtype switch
    {
        ScalarType.Float64 => 1e-11,
        ScalarType.Float32 => 1e-5,
        _ => 3e-2,
    });

    private (SpaceRotation Done, double[,] Matrix) Rotate(RotatedSpace space, long step)
    {
        using var scope = NewDisposeScope();
        if (_model.Obstacle(space) is { } obstacle)
            return (new SpaceRotation(space, 0, obstacle), OrthogonalMatrix.Identity(space.Size));
        var source = _options.SourceOf(space.Kind);
        var covariance = source switch
        {
            RotationSource.Gradient => _averages.GetValueOrDefault(space.Name)
                ?? throw new WiscaException(
                    $"a rotation of {space.Name} goes by gradients, and none was taken up so far",
                    "call Observe between backward pass and update, or choose another source: momentum"),
            RotationSource.Momentum => Momenta(space),
            RotationSource.Weights => _model.Covariance(space, _model.Weight, areWeights: true, innerOnly: _options.InnerOnly),
            _ => null,
        };
        ulong seed = unchecked(_options.Seed + ((ulong)step * 0x9E3779B97F4A7C15UL) + (ulong)Spaces.IndexOf(space));
        double[,] matrix = source switch
        {
            RotationSource.Random => OrthogonalMatrix.Random(space.Size, seed, space.KeepsOnes),
            RotationSource.Hadamard => OrthogonalMatrix.Hadamard(space.Size, seed, space.KeepsOnes),
            _ when covariance is null => OrthogonalMatrix.Identity(space.Size),
            _ => RotationBasis.Find(covariance, space.KeepsOnes, _options.Search, _options.Fraction),
        };
        _model.Rotate(space, matrix, _options.Gains, _options.State);
        double cosine = Enumerable.Range(0, space.Size).Average(index => matrix[index, index]);
        return (
            new SpaceRotation(space, double.RadiansToDegrees(Math.Acos(Math.Clamp(cosine, -1, 1))))
            {
                Diagonal = covariance is null
                    ? null
                    : (RotationBasis.DiagonalShare(covariance), RotationBasis.DiagonalShare(covariance, matrix)),
            },
            matrix);
    }

    private Tensor Momenta(RotatedSpace space)
    {
        if (!space.Slices.Any(slice => _model.Momentum(slice.Tensor) is not null))
            throw new WiscaException(
                $"a rotation of {space.Name} goes by the optimizer's momenta, but it keeps none",
                "choose an optimizer with momentum, or another source: gradient");
        return _model.Covariance(space, _model.Momentum, areWeights: false, innerOnly: _options.InnerOnly);
    }

    private void Remember(RotatedSpace space, double[,] matrix)
    {
        using var scope = NewDisposeScope();
        var turn = tensor(matrix);
        var total = _totals[space.Name];
        total.copy_(total.matmul(turn));
        if (_averages.TryGetValue(space.Name, out var average)) average.copy_(turn.transpose(0, 1).matmul(average).matmul(turn));
    }

    private WiscaException TakenBack(long step, double before, double after, List<(Tensor Tensor, Tensor Copy)> copies)
    {
        using (no_grad())
        {
            foreach (var (tensor, copy) in copies) tensor.copy_(copy);
        }

        foreach (var space in Spaces) _frozen?.Set(space, _totals[space.Name]);

        return new WiscaException(
            string.Create(
                CultureInfo.InvariantCulture,
                $"the rotation after step {step} changed the loss of a fixed batch from {before:R} to {after:R}; it was taken back"),
            "what reads and writes the residual stream of this model is not what it is taken for");
    }

    private void Check(RotatedSpace space)
    {
        foreach (string name in space.Slices.Select(slice => slice.Tensor).Concat(space.Gains.Select(gain => gain.Tensor)))
        {
            if (!_parameters.TryGetValue(name, out var parameter))
                throw new WiscaException(
                    $"a rotation needs parameter '{name}', which the model does not have", "make the plan from the model's own names");
            if (space.Slices.FirstOrDefault(slice => slice.Tensor == name
                && (slice.Axis >= parameter.dim() || slice.Start + space.Size > parameter.shape[slice.Axis])) is { } slice)
                throw new WiscaException(
                    $"a rotation of {space.Size} dimensions needs {slice.Start + space.Size} along axis {slice.Axis} of parameter "
                    + $"'{name}', which is [{string.Join(", ", parameter.shape)}]",
                    "make the plan from the model's own configuration");
        }
    }
}
