using TorchSharp;
using Wisca.Adapters;
using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Rotations;
using Wisca.Safetensors;
using Wisca.Torch.Models;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using Wisca.Transitions;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Wisca.Torch.Lora;

/// <summary>
/// A decoder with a LoRA adapter attached. The base is frozen: it has no gradients, and nothing is kept for it. What trains are
/// <see cref="Parameters"/>; they are no parameters of the decoder. Give the adapter to a <see cref="WiscaScheduler"/> as one of its
/// states, and it follows the base's transitions. Disposing of it detaches it from the decoder;
/// modules that were trained whole keep what they learned.
/// </summary>
public sealed class LoraModel : IParameterState, ITransitionFollower, IMagnitudeKeeper, IDisposable
{
    private readonly List<LowRankLayer> _layers = [];
    private readonly List<(string Name, Parameter Parameter)> _saved = [];
    private readonly List<(EmbeddingTable Table, LowRankTable Adapter)> _tables = [];
    private readonly List<(Parameter Parameter, Tensor Original)> _changed = [];
    private readonly List<(Parameter Parameter, bool Required)> _required;
    private readonly Generator _generator;
    private readonly ulong _seed;

    private LoraModel(Decoder decoder, AdapterConfig config, ulong seed)
    {
        Decoder = decoder;
        Config = config;
        _seed = seed;
        _generator = new Generator(seed);
        _required = [.. decoder.parameters().Select(parameter => (parameter, parameter.requires_grad))];
        foreach (var (parameter, _) in _required) parameter.requires_grad = false;
    }

    /// <summary>The decoder.</summary>
    public Decoder Decoder { get; }

    /// <summary>The adapter's configuration.</summary>
    public AdapterConfig Config { get; }

    /// <summary>
    /// What trains, under PEFT's names without their prefix: <c>model.layers.0.self_attn.q_proj.lora_A.weight</c>; and of modules that are
    /// trained whole the decoder's own parameters.
    /// </summary>
    public IReadOnlyList<(string name, Parameter parameter)> Parameters => [.. _layers.SelectMany(layer => layer.Parameters), .. _saved];

    /// <summary>The decoder's parameters and the adapter's: what a scheduler of transitions is given.</summary>
    public IReadOnlyList<(string Name, Parameter Parameter)> AllParameters =>
        [.. Decoder.named_parameters().Select(entry => (entry.name, entry.parameter)), .. _layers.SelectMany(layer => layer.Parameters)];

    /// <summary>The modules with factors, by path.</summary>
    public IEnumerable<string> Modules => _layers.Select(layer => layer.Name);

    /// <summary>How much is trained.</summary>
    public LoraSummary Summary
    {
        get
        {
            long trainable = Parameters.Sum(entry => entry.parameter.numel());
            return new LoraSummary(
                trainable,
                Decoder.parameters().Sum(parameter => parameter.numel())
                    + _layers.SelectMany(layer => layer.Parameters).Sum(entry => entry.Parameter.numel()),
                _layers.Count,
                _saved.Count);
        }
    }

    /// <summary>True while a step trains: only then inputs of A are dropped. False by default.</summary>
    public bool Training { get; set; }

    internal bool Drops => Training && Config.Dropout > 0;

    /// <summary>Attaches a new adapter.</summary>
    /// <param name="decoder">The base. PiSSA and OLoRA take the first factors out of its weights.</param>
    /// <param name="config">Which modules, ranks and the rest.</param>
    /// <param name="seed">What the factors, and later the dropped inputs, follow from.</param>
    /// <exception cref="WiscaException">A name fits no module, or a module cannot be adapted; the decoder is then as it was.</exception>
    public static LoraModel Attach(Decoder decoder, AdapterConfig config, ulong seed = 0) => Attach(decoder, config, seed, draws: true);

    /// <summary>Attaches a new adapter whose factors hold whatever lay in their memory, to find out what it would be.</summary>
    public static LoraModel Sketch(Decoder decoder, AdapterConfig config) => Attach(decoder, config, 0, draws: false);

    private static LoraModel Attach(Decoder decoder, AdapterConfig config, ulong seed, bool draws)
    {
        ArgumentNullException.ThrowIfNull(decoder);
        ArgumentNullException.ThrowIfNull(config);
        if (config.Initialization == LoraInitialization.Other)
            throw new WiscaException(
                $"{config.File}: init_lora_weights is {config.Root.GetProperty("init_lora_weights").GetRawText()}, "
                + "which no adapter is started with here",
                "use true, gaussian, pissa or olora");
        if (config.Dora && config.Initialization is LoraInitialization.Pissa or LoraInitialization.Olora)
            throw new WiscaException(
                $"{config.File}: use_dora cannot be combined with init_lora_weights "
                + $"{config.Root.GetProperty("init_lora_weights").GetRawText()}",
                "use one of the two");
        if (config.LoraBias || !config.TargetParameters.IsEmpty || !config.TokenIndices.IsEmpty || config.EnsuresTying)
            throw new WiscaException(
                $"{config.File}: "
                + (config.LoraBias ? "lora_bias" : !config.TargetParameters.IsEmpty ? "target_parameters"
                    : !config.TokenIndices.IsEmpty ? "trainable_token_indices" : "ensure_weight_tying")
                + " is set, which is not trained here",
                "train it with PEFT; 'wisca merge' merges it");
        if (config.Bias != "none")
            throw new WiscaException(
                $"{config.File}: bias is {config.Bias}; biases of the base are not trained here",
                "set bias to none, or name modules in modules_to_save");
        return Build(
            decoder,
            config.WithFanInFanOut(decoder.Config.Attention.Orientation == Orientation.Conv1D),
            seed,
            lora =>
            {
                var dense = lora.DenseLayers();
                foreach (
                    var (name, layer) in dense.Where(entry =>
                        config.Adapts(entry.Key) && !(config.Targets.IsAllLinear && entry.Key == decoder.Config.Names.Head)))
                    lora._layers.Add(new LowRankLayer(lora, name, layer, config.RankOf(name), config.ScaleOf(name), config.Dora));
                lora.CheckTargets(dense.Keys);
                lora.AddSaved();
                foreach (var layer in lora._layers)
                    LoraInitializer.Check(layer, config.Initialization);
                if (!draws)
                    return;
                foreach (var layer in lora._layers)
                    LoraInitializer.Fill(layer, config.Initialization, seed);
            });
    }

    /// <summary>Attaches an adapter from disk. Its dropout and initialisation go on mattering where it trains on.</summary>
    /// <param name="decoder">The base, loaded from the checkpoint that the adapter is bound to.</param>
    /// <param name="binding">The adapter with its base.</param>
    /// <param name="seed">What dropped inputs follow from.</param>
    /// <exception cref="WiscaException">The adapter is for the base in another gauge,
    /// or for a module that the decoder does not have.</exception>
    public static LoraModel Load(Decoder decoder, AdapterBinding binding, ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(decoder);
        ArgumentNullException.ThrowIfNull(binding);
        binding.CheckWholeBase(merging: true);
        binding.CheckGauge();
        if (binding.NewHeads is [var (_, head), ..])
            throw new WiscaException($"the model has no {head}, which the adapter stores", "it is for a model of another kind");
        return Build(decoder, binding.Adapter.Config, seed, lora => new LoraReader(lora, binding).Read());
    }

    /// <summary>
    /// Begins a step of training: what is dropped in its forward passes follows from the seed and this number alone,
    /// so that a run that is resumed drops the same.
    /// </summary>
    /// <param name="step">The step.</param>
    public void BeginStep(long step) => _generator.manual_seed(unchecked((long)WeightInitializer.State(_seed, $"dropout {step}")));

    /// <summary>
    /// Adds the factors to the base's weights, rounded to their type; from then on the forward pass is the base's alone. Each matrix is
    /// kept as it was until <see cref="Unmerge"/>.
    /// </summary>
    public void Merge()
    {
        CheckTrained("merged in memory");
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        foreach (var layer in _layers.Where(layer => layer.Unmerged is null))
        {
            var merged = layer
                .Base()
                .to(ScalarType.Float64)
                .Plus(layer.B.to(ScalarType.Float64).matmul(layer.A.to(ScalarType.Float64)).Times(layer.Scale));
            if (layer.Magnitude is { } magnitude) merged *= (magnitude / linalg.norm(merged, 2, [1], false)).unsqueeze(1);
            layer.Unmerged = layer.Layer.Weight.detach().clone().DetachFromDisposeScope();
            layer.Store(merged);
        }
    }

    /// <summary>Takes <see cref="Merge"/> back, to the bit.</summary>
    public void Unmerge()
    {
        using var ungraded = no_grad();
        foreach (var layer in _layers)
        {
            if (layer.Unmerged is null) continue;
            layer.Layer.Weight.copy_(layer.Unmerged);
            layer.Unmerged.Dispose();
            layer.Unmerged = null;
        }
    }

    /// <summary>
    /// Writes the adapter in PEFT's format, into a folder that appears when it is complete. Factors that started from the base's own
    /// (PiSSA, OLoRA) are written with twice the rank, [B, -B_0] [A; A_0], as PEFT converts them: such an adapter is for the whole base,
    /// and any reader of LoRA knows it.
    /// </summary>
    /// <param name="folder">A folder that does not exist or is empty, in one that does.</param>
    /// <param name="options">For which base, and the type; null for the defaults.</param>
    /// <exception cref="WiscaException">The place is taken, too small or not writable.</exception>
    public void Save(string folder, LoraSaveOptions? options = null)
    {
        CheckTrained("saved");
        new LoraWriter(this, options ?? new LoraSaveOptions()).Write(folder);
    }

    /// <summary>Writes what trains as it is, to the bit, for <see cref="LoadState"/>.</summary>
    /// <param name="path">A safetensors file; it is replaced once the new one is complete.</param>
    /// <exception cref="WiscaException">The file cannot be written.</exception>
    public void SaveState(string path) => StateFile.Write(path, State(), new Dictionary<string, string> { ["wisca.state"] = "lora" });

    /// <summary>Reads what <see cref="SaveState"/> wrote, into an adapter that was attached alike.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="WiscaException">Names, shapes or types differ;
    /// the message lists the differences, and nothing has changed.</exception>
    public void LoadState(string path)
    {
        using var file = SafetensorsFile.Open(path);
        var state = State();
        var known = state.Select(entry => entry.Name).ToHashSet(StringComparer.Ordinal);
        var differences = state
            .Select(entry => StateFile.Difference(file, entry.Name, entry.Tensor.shape, entry.Tensor.dtype))
            .OfType<string>();
        var others = file
            .Header.Tensors.Where(info => !known.Contains(info.Name))
            .Select(info => $"{info.Name} {info.ShapeText} is not part of the adapter");
        StateFile.ThrowIfAny([.. differences, .. others], path, "the state is not that of this adapter");
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        foreach (var (name, target) in state)
        {
            using var stored = StateFile.Read(file, file.Header.Find(name)!, target.dtype, target.device);
            target.copy_(stored);
        }
    }

    /// <summary>The factors that were taken out of the base: copies of A and B that move as they do.</summary>
    public IReadOnlyList<StateTensor> StateOf(string parameter)
    {
        foreach (var layer in _layers.Where(layer => layer.Initial is not null))
        {
            if (parameter == $"{layer.Name}.lora_A.weight") return [new StateTensor("initial", layer.Initial!.Value.A, 1)];
            if (parameter == $"{layer.Name}.lora_B.weight") return [new StateTensor("initial", layer.Initial!.Value.B, 1)];
        }

        return [];
    }

    /// <inheritdoc />
    public IReadOnlyDictionary<string, AxisFactors> Follow(IReadOnlyDictionary<string, AxisFactors> factors)
    {
        ArgumentNullException.ThrowIfNull(factors);
        var following = new Dictionary<string, AxisFactors>(StringComparer.Ordinal);
        foreach (var layer in _layers)
        {
            if (!factors.TryGetValue(layer.Name + ".weight", out var along)) continue;
            int output = IsOutput(layer, 0) ? 0 : 1;
            double[]? outputs = along.Of(output), inputs = along.Of(1 - output);
            if (outputs is not null) following.Add($"{layer.Name}.lora_B.weight", AxisFactors.Along(0, outputs));
            if (inputs is not null) following.Add($"{layer.Name}.lora_A.weight", AxisFactors.Along(1, inputs));
            if (layer.Magnitude is null) continue;
            double[] lengths = inputs is null ? outputs! : Lengths(layer, inputs);
            if (inputs is not null && outputs is not null) lengths = [.. lengths.Zip(outputs, (length, factor) => length * factor)];
            following.Add($"{layer.Name}.lora_magnitude_vector", AxisFactors.Along(0, lengths));
        }

        return following;
    }

    /// <summary>The plan of the base's transitions, for a <see cref="WiscaScheduler"/> that is given <see cref="AllParameters"/>.</summary>
    /// <param name="options">Which transitions.</param>
    /// <param name="table">An architecture table of one's own; null to find the built-in one by <c>model_type</c>.</param>
    /// <exception cref="WiscaException">The table does not fit the model, no transition applies, or the decoder's configuration was not
    /// read from JSON.</exception>
    public TransitionPlan BasePlan(TransitionOptions options, ArchitectureTable? table = null)
    {
        if (Decoder.Config.Source is not { } source)
            throw new WiscaException(
                "the model's configuration was put together in code and has no JSON to find a table by",
                "read it with DecoderConfig.From");
        return WiscaScheduler.PlanFor(Decoder.named_parameters().Select(entry => (entry.name, entry.parameter)), source, options, table);
    }

    /// <summary>The exchanges between the factors of every module, for a <see cref="WiscaScheduler"/>.</summary>
    /// <param name="perRank">True for a factor for each rank, false for one for each module.</param>
    /// <param name="balance">Norm, rounding and clamp.</param>
    public TransitionPlan BalancePlan(bool perRank, BalanceOptions balance) => new(
        new TransitionOptions { Balance = balance },
        [
            .. _layers.Select(
                (layer, index) =>
                    Exchange.OfFactors(index, $"{layer.Name}.lora_A.weight", $"{layer.Name}.lora_B.weight", layer.Rank, perRank)),
        ],
        []);

    /// <summary>
    /// The ranks of every module as spaces to rotate, for a <see cref="RotationScheduler"/> that is given <see cref="AllParameters"/>, and
    /// the adapter as one of its states: with an orthogonal U, A becomes U^T A and B becomes B U. That is exact for any adapter; DoRA's
    /// magnitudes do not move.
    /// </summary>
    public RotationPlan RotationPlan() => new(
        [
            .. _layers.Select(layer => new RotatedSpace(
                RotationKind.LoraFactors, layer.Name, layer.Rank, KeepsOnes: false,
                [
                    new RotatedSlice($"{layer.Name}.lora_A.weight", 0, 0, SliceRole.Writes),
                    new RotatedSlice($"{layer.Name}.lora_B.weight", 1, 0, SliceRole.Reads),
                ],
                [])),
        ],
        []);

    /// <summary>
    /// What may be rotated of the frozen base, its residual stream and its heads, with the slices of the adapter that follow, for a
    /// <see cref="RotationScheduler"/> that is given <see cref="AllParameters"/>, the adapter, and the base as
    /// <see cref="FrozenWeights"/>. Refused is what has no form for the base as it is published: magnitudes of outputs that are turned
    /// (DoRA), and norms that are trained whole; and spaces in which nothing trains.
    /// </summary>
    /// <exception cref="WiscaException">No architecture table fits the base.</exception>
    public RotationPlan BaseRotationPlan()
    {
        var plan = RotationScheduler.PlanFor(Decoder);
        var layers = _layers.ToDictionary(layer => $"{layer.Name}.weight", StringComparer.Ordinal);
        var trained = Parameters.Select(entry => entry.name).ToHashSet(StringComparer.Ordinal);
        var spaces = new List<RotatedSpace>();
        var refusals = plan.Refusals.ToList();
        foreach (var space in plan.Spaces)
        {
            var own = space with { Slices = [.. space.Slices.SelectMany(WithFactors)] };
            if (Obstacle(own) is not { } reason) spaces.Add(own);
            else refusals.Add(new RotationRefusal(space.Kind, space.Layer is { } layer ? [layer] : [], reason));
        }

        return new RotationPlan([.. spaces], [.. refusals]);

        IEnumerable<RotatedSlice> WithFactors(RotatedSlice slice)
        {
            yield return slice;
            if (!layers.TryGetValue(slice.Tensor, out var layer)) yield break;
            bool isOutput = IsOutput(layer, slice.Axis);
            yield return slice with { Tensor = $"{layer.Name}.lora_{(isOutput ? "B" : "A")}.weight", Axis = isOutput ? 0 : 1 };
        }

        string? Obstacle(RotatedSpace space)
        {
            var turned = space.Slices.Where(slice =>
                layers.TryGetValue(slice.Tensor, out var layer) && layer.Magnitude is not null && IsOutput(layer, slice.Axis));
            if (turned.FirstOrDefault() is { } output)
                return $"module '{layers[output.Tensor].Name}' has magnitudes (DoRA), one for each output, and its outputs would be turned";
            var norms = space.Gains.SelectMany(gain => new[] { gain.Tensor, gain.Bias }).OfType<string>();
            if (norms.FirstOrDefault(trained.Contains) is { } norm)
                return $"'{norm}' is trained whole: what a norm learns in another basis has no form for the base as it is";
            return space.Slices.Any(slice => trained.Contains(slice.Tensor)) ? null : "nothing that trains lies in it";
        }
    }

    IEnumerable<string> IMagnitudeKeeper.MagnitudesOf(IReadOnlySet<string> readers) =>
        Turned(readers).Select(layer => $"{layer.Name}.lora_magnitude_vector");

    IEnumerable<(string Magnitude, Tensor Lengths)> IMagnitudeKeeper.RowLengths(
        IReadOnlySet<string> readers, Func<string, Tensor> values)
    {
        foreach (var layer in Turned(readers))
        {
            var merged = Merged(layer, values($"{layer.Name}.lora_A.weight"), values($"{layer.Name}.lora_B.weight"));
            yield return ($"{layer.Name}.lora_magnitude_vector", linalg.norm(merged, 2, [1], false));
        }
    }

    private IEnumerable<LowRankLayer> Turned(IReadOnlySet<string> readers) =>
        _layers.Where(layer => layer.Magnitude is not null && readers.Contains($"{layer.Name}.lora_A.weight"));

    /// <summary>W + scale B A in float64, [outputs, inputs].</summary>
    internal static Tensor Merged(LowRankLayer layer, Tensor a, Tensor b) =>
        layer.Base().to(ScalarType.Float64).Plus(b.to(ScalarType.Float64).matmul(a.to(ScalarType.Float64)).Times(layer.Scale));

    /// <inheritdoc />
    public void Dispose()
    {
        Unmerge();
        using (var scope = NewDisposeScope())
        using (var ungraded = no_grad())
        {
            // What PiSSA or OLoRA took out of the base goes back, to rounding.
            foreach (var layer in _layers.Where(layer => layer.Initial is not null))
                layer.Store(
                    layer
                        .Base()
                        .to(ScalarType.Float64)
                        .Plus(
                            layer
                                .Initial!.Value.B.to(ScalarType.Float64)
                                .matmul(layer.Initial.Value.A.to(ScalarType.Float64))
                                .Times(layer.Scale)));
        }

        foreach (var layer in _layers)
        {
            layer.Layer.Adapter = null;
            layer.Dispose();
        }

        foreach (var (table, adapter) in _tables)
        {
            table.Adapter = null;
            adapter.Dispose();
        }

        using (var ungraded = no_grad())
        {
            foreach (var (parameter, original) in _changed)
            {
                parameter.copy_(original);
                original.Dispose();
            }
        }

        _layers.Clear();
        _tables.Clear();
        _changed.Clear();
        foreach (var (parameter, required) in _required) parameter.requires_grad = required;
        _generator.Dispose();
    }

    /// <summary>A kind of adapter that is computed and not trained here: what it is, in words; null where everything is trained.</summary>
    internal string? Untrained { get; set; }

    internal IReadOnlyList<LowRankLayer> Layers => _layers;

    internal void Add(LowRankLayer layer) => _layers.Add(layer);

    internal void AddSaved(string name, Parameter parameter)
    {
        parameter.requires_grad = true;
        _saved.Add((name, parameter));
    }

    internal void AddTable(EmbeddingTable table, LowRankTable adapter)
    {
        _tables.Add((table, adapter));
        table.Adapter = adapter;
    }

    /// <summary>Remembers a parameter as it is, to put it back when the adapter goes.</summary>
    internal void Remember(Parameter parameter) =>
        _changed.Add((parameter, parameter.detach().clone().DetachFromDisposeScope()));

    private void CheckTrained(string done)
    {
        if (Untrained is { } kind)
            throw new WiscaException(
                $"the adapter has {kind}, and such a one is not {done} here",
                "merge it with 'wisca merge', or use PEFT");
    }

    internal IReadOnlyList<(string Name, Parameter Parameter)> Saved => _saved;

    /// <summary>The first row that goes through the model here, and the number of rows that go through it on all ranks: what is dropped
    /// of a row does not depend on who has it. Null where all rows are here.</summary>
    public (long Begin, long Of)? Rows { get; set; }

    /// <summary>Inputs of A with some of them dropped and the others grown, where a step trains.</summary>
    internal Tensor Drop(Tensor input)
    {
        if (!Drops) return input;
        using var dropout = Config.Dropout.ToScalar();
        long[] shape = input.shape;
        if (Rows is not null && shape.Length < 3)
            throw new WiscaException(
                "experts have adapters with dropout, whose tokens several ranks cannot draw alike",
                "set adapter.dropout: 0, or train in one process");
        var drawn = Rows is not { } rows
            ? rand(shape, ScalarType.Float32, generator: _generator)
            : rand([rows.Of, .. shape[1..]], ScalarType.Float32, generator: _generator).narrow(0, rows.Begin, shape[0]);
        var kept = drawn.to(input.device).ge(dropout);
        return (input * kept.to(input.dtype)).Over(1 - Config.Dropout);
    }

    internal static bool IsOutput(LowRankLayer layer, int axis) => axis == (layer.Layer.Transposed ? 1 : 0);

    /// <summary>|row'| / |row| of W + scale B A for factors of its columns. One factor for all columns is each row's factor too.</summary>
    internal static double[] Lengths(LowRankLayer layer, double[] columns)
    {
        if (Array.TrueForAll(columns, factor => factor == columns[0])) return [.. Enumerable.Repeat(columns[0], (int)layer.Outputs)];
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var merged = layer
            .Base()
            .to(ScalarType.Float64)
            .Plus(layer.B.to(ScalarType.Float64).matmul(layer.A.to(ScalarType.Float64)).Times(layer.Scale));
        Tensor before = linalg.norm(merged, 2, [1], false),
            after = linalg.norm(merged * tensor(columns, device: merged.device), 2, [1], false);
        return (after / before).nan_to_num(1).cpu().data<double>().ToArray();
    }

    private static LoraModel Build(Decoder decoder, AdapterConfig config, ulong seed, Action<LoraModel> fill)
    {
        if (decoder.modules().OfType<DenseLayer>().Any(layer => layer.Adapter is not null))
            throw new InvalidOperationException("the decoder has an adapter already");
        var lora = new LoraModel(decoder, config, seed);
        try
        {
            fill(lora);
            foreach (var layer in lora._layers) layer.Layer.Adapter = layer;
            return lora;
        }
        catch
        {
            lora.Dispose();
            throw;
        }
    }

    internal Dictionary<string, DenseLayer> DenseLayers() =>
        Decoder
            .named_modules()
            .Where(entry => entry.module is DenseLayer)
            .ToDictionary(entry => entry.name, entry => (DenseLayer)entry.module, StringComparer.Ordinal);

    private void CheckTargets(IEnumerable<string> names)
    {
        string known = string.Join(", ", names.Select(name => name[(name.LastIndexOf('.') + 1)..]).Distinct());
        if (Config.Targets.Names.FirstOrDefault(target => !names.Any(name => TargetModules.EndsWith(name, target))) is { } unknown)
            throw new WiscaException(
                $"{Config.File}: target_modules names '{unknown}', which no linear module of the model is called",
                $"it has {known}");
        if (_layers.Count == 0)
            throw new WiscaException($"{Config.File}: target_modules fits no linear module of the model", $"it has {known}");
    }

    private void AddSaved()
    {
        foreach (string name in Config.SavedModules)
        {
            var modules = Decoder
                .named_modules()
                .Where(entry => entry.module is DenseLayer or NormLayer or EmbeddingTable && TargetModules.EndsWith(entry.name, name))
                .ToList();
            if (modules.Count == 0)
                throw new WiscaException(
                    $"{Config.File}: modules_to_save names '{name}', which the model does not have",
                    Decoder.Config.TiedHead ? "its output projection is the embedding" : "name modules such as lm_head or embed_tokens");
            foreach (var (path, module) in modules)
            {
                if (_layers.Any(layer => layer.Name == path))
                    throw new WiscaException(
                        $"{Config.File}: '{path}' is among target_modules and modules_to_save",
                        "a module is adapted or trained whole, not both");
                if (
                    module is EmbeddingTable
                    && Decoder.Config.TiedHead
                    && path.EndsWith(Decoder.Config.Names.Embedding, StringComparison.Ordinal))
                    throw new WiscaException(
                        $"{Config.File}: modules_to_save names '{name}', which is the output projection too in this model; PEFT would "
                        + "train a copy of the one alone",
                        "untie the base first, or leave it out");
                foreach (var (parameter, value) in module.named_parameters())
                {
                    value.requires_grad = true;
                    _saved.Add(($"{path}.{parameter}", value));
                }
            }
        }
    }

    private List<(string Name, Tensor Tensor)> State() =>
    [
        .. Parameters.Select(entry => (entry.name, (Tensor)entry.parameter)),
        .. _layers
            .Where(layer => layer.Initial is not null)
            .SelectMany(layer =>
                ((string, Tensor)[])
                    [($"{layer.Name}.lora_A.initial", layer.Initial!.Value.A), ($"{layer.Name}.lora_B.initial", layer.Initial.Value.B)]),
    ];
}
