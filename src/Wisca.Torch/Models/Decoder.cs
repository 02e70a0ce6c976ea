using TorchSharp;
using Wisca.Checkpoints;
using Wisca.Torch.Kernels;
using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>
/// A decoder-only Transformer of one of <see cref="DecoderConfig.ModelTypes"/>. Parameters carry the names that Hugging Face gives the
/// tensors of a whole model; an output projection that is tied to the embedding is no parameter of its own.
/// </summary>
public sealed class Decoder : nn.Module<Tensor, Tensor>
{
    /// <summary>The target of a position that does not count.</summary>
    public const long IgnoredTarget = -100;

    private readonly EmbeddingTable _embedding;
    private readonly EmbeddingTable? _positions;
    private readonly DecoderBlock[] _blocks;
    private readonly NormLayer _finalNorm;
    private readonly DenseLayer? _head;
    private readonly Dictionary<RopeConfig, RotaryTable> _rotary;

    /// <summary>Creates a model with memory for its parameters, whose values are whatever lay there.</summary>
    /// <param name="config">The model.</param>
    /// <param name="dtype">The element type of every parameter.</param>
    /// <param name="device">Where they go; the CPU where null.</param>
    /// <exception cref="WiscaException">libtorch does not load.</exception>
    public Decoder(DecoderConfig config, ScalarType dtype = ScalarType.Float32, Device? device = null)
        : base(Ready())
    {
        ArgumentNullException.ThrowIfNull(config);
        Config = config;
        var names = config.Names;
        var tree = new ModuleTree(this, dtype, device ?? CPU);
        _embedding = tree.Embedding($"{names.Root}.{names.Embedding}", config.VocabularySize, config.HiddenSize);
        if (names.Positions is { } positions)
            _positions = tree.Embedding($"{names.Root}.{positions}", config.MaxPositions + config.PositionOffset, config.HiddenSize);
        _blocks = [.. config.Layers.Select((_, layer) => new DecoderBlock(tree, $"{names.Root}.{names.Layers}.{layer}", config, layer))];
        _finalNorm = tree.Norm($"{names.Root}.{names.FinalNorm}", config.Norm, config.HiddenSize);
        if (!config.TiedHead) _head = tree.Dense(names.Head, config.HiddenSize, config.VocabularySize, config.HeadBias);
        _rotary = config
            .Layers.Select(layer => layer.Rope)
            .OfType<RopeConfig>()
            .Distinct()
            .ToDictionary(rope => rope, rope => new RotaryTable(rope));
    }

    /// <summary>Every tensor that a checkpoint holds: the parameters, and what takes no gradient.</summary>
    internal IEnumerable<(string Name, Tensor Tensor)> Stored =>
        named_parameters().Select(entry => (entry.name, (Tensor)entry.parameter))
            .Concat(named_buffers().Select(entry => (entry.name, entry.buffer)));

    /// <summary>What the model was built from.</summary>
    public DecoderConfig Config { get; }

    /// <summary>The folder that the weights were read from; null for a model that was made here.</summary>
    public string? Source { get; internal set; }

    /// <summary>Where the parameters are.</summary>
    public Device Device => parameters().First().device;

    /// <summary>Which operators compute attention; the fused ones by default, where the model has no
    /// <see cref="AttentionConfig.ScoreCap"/>.</summary>
    public AttentionPath AttentionPath { get; set; }

    /// <summary>
    /// The type that matrix products are computed in: weights are cast inside the forward pass, and their gradients arrive in the
    /// parameters' own type. The residual stream, norms, softmax and loss keep at least float32. Null for the parameters' type.
    /// Where <see cref="TorchRuntime.FastBFloat16"/> is false, bfloat16 rounds the same but is no faster than float32.
    /// </summary>
    public ScalarType? ComputeType { get; set; }

    /// <summary>Makes a new model with random weights, which depend on nothing but
    /// the seed and the names and shapes of the parameters.</summary>
    /// <param name="config">The model.</param>
    /// <param name="seed">The seed.</param>
    /// <param name="initialization">How weights are drawn; null for the way of the family.</param>
    /// <param name="dtype">The element type of every parameter; numbers are drawn in float64 and rounded to it.</param>
    /// <param name="device">Where they go; the CPU where null.</param>
    /// <exception cref="WiscaException">A deviation is negative, a pattern fits no parameter, or libtorch does not load.</exception>
    public static Decoder Create(
        DecoderConfig config, ulong seed, InitializationOptions? initialization = null, ScalarType dtype = ScalarType.Float32,
        Device? device = null)
    {
        var decoder = new Decoder(config, dtype, device);
        try
        {
            new WeightInitializer(config, seed, initialization ?? new InitializationOptions()).Fill(decoder);
            return decoder;
        }
        catch
        {
            decoder.Dispose();
            throw;
        }
    }

    /// <summary>Reads a checkpoint into a new model. Weights go from the file into the model's memory piece by piece.</summary>
    /// <param name="checkpoint">The opened model folder.</param>
    /// <param name="precision">The element type to compute in.</param>
    /// <exception cref="WiscaException">
    /// The family is not supported, the configuration is wrong, or the tensors are not those it promises; the error lists every difference.
    /// </exception>
    public static Decoder Load(Checkpoint checkpoint, ComputePrecision precision = ComputePrecision.F32) =>
        Load(checkpoint, precision, out _);

    /// <summary>As <see cref="Load(Checkpoint, ComputePrecision)"/>, with the tensor that each parameter was read from.</summary>
    internal static Decoder Load(
        Checkpoint checkpoint, ComputePrecision precision, out IReadOnlyDictionary<string, StoredTensor> stored)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        TorchRuntime.Require();
        return new WeightLoader(checkpoint, DecoderConfig.From(checkpoint.Config)).Load(precision, out stored);
    }

    /// <summary>
    /// Writes the model as a folder that Hugging Face transformers and wisca read: config.json and safetensors. The folder appears
    /// when it is complete. A tied output projection is not stored twice.
    /// </summary>
    /// <param name="folder">A folder that does not exist or is empty, in one that does.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <exception cref="WiscaException">The place is taken, too small or not writable,
    /// or the configuration was not read from JSON.</exception>
    public void Save(string folder, SaveOptions? options = null) => new ModelWriter(this, options ?? new SaveOptions()).Write(folder);

    /// <summary>The loss of predicting targets [B, T] from ids [B, T]: the target of a position is the token that follows it.</summary>
    /// <param name="ids">Ids as int64, each below the size of the vocabulary.</param>
    /// <param name="targets">Ids likewise; <see cref="IgnoredTarget"/> where a position does not count.</param>
    /// <param name="branching">Which tokens see each other, for rows that hold several sequences; null for one sequence a row.</param>
    /// <exception cref="WiscaException">The sequence is longer than the model's learned positions.</exception>
    public DecoderLoss Loss(Tensor ids, Tensor targets, Branching? branching = null) => PartialLoss(ids, targets, branching, null);

    /// <summary>As <see cref="Loss(Tensor, Tensor, Branching?)"/>, for rows of a batch of which other ranks have the rest: the sums of all
    /// ranks' <see cref="DecoderLoss.Total"/> and of their gradients are those of the whole.</summary>
    /// <param name="ids">Ids of these rows.</param>
    /// <param name="targets">Targets of these rows.</param>
    /// <param name="branching">Which tokens see each other; null for one sequence a row.</param>
    /// <param name="part">The whole batch; null where these are all its rows.</param>
    public DecoderLoss PartialLoss(Tensor ids, Tensor targets, Branching? branching, BatchPart? part)
    {
        ArgumentNullException.ThrowIfNull(targets);
        using var scope = NewDisposeScope();
        var mixtures = Config.Layers.Select(layer => layer.Mixture).OfType<MixtureConfig>();
        double weight = mixtures.FirstOrDefault()?.BalanceWeight ?? 0;
        List<Routing>? routings = weight > 0 ? [] : null;
        var logits = Logits(Run(ids, branching, null, routings, CancellationToken.None)).flatten(0, 1);
        var sum = nn.functional.cross_entropy(
            logits.to(NormLayer.AtLeastFloat32(logits.dtype)), targets.flatten(), ignore_index: IgnoredTarget, reduction: nn.Reduction.Sum);
        using var ignored = IgnoredTarget.ToScalar();
        long count = targets.ne(ignored).sum().AsInt64();
        var loss = new DecoderLoss(
            sum, count, routings is null ? null : ExpertMixture.Balance(routings, part?.Communicator).Times(weight),
            part?.Targets ?? count);
        loss.Keep();
        return loss;
    }

    /// <summary>Logits [B, T, vocabulary] for token ids [B, T].</summary>
    /// <param name="input">Ids as int64, each below the size of the vocabulary.</param>
    /// <exception cref="WiscaException">The sequence is longer than the model's learned positions.</exception>
    public override Tensor forward(Tensor input) => Logits(Hidden(input));

    /// <summary>The normalised residual stream behind the last layer, [B, T, hidden], for token ids [B, T].</summary>
    /// <param name="ids">Ids as int64, each below the size of the vocabulary.</param>
    /// <param name="cancellation">Looked at before every layer.</param>
    /// <exception cref="WiscaException">The sequence is longer than the model's learned positions.</exception>
    public Tensor Hidden(Tensor ids, CancellationToken cancellation = default) => Run(ids, null, null, null, cancellation);

    /// <summary>As <see cref="Hidden(Tensor, CancellationToken)"/>, of sequences that fork.
    /// To rounding, the result of a branch is that of trunk and branch alone.</summary>
    /// <param name="ids">Ids [B, T] as int64, each below the size of the vocabulary: trunks with their branches.</param>
    /// <param name="branching">Where they fork, on the same device.</param>
    /// <param name="cancellation">Looked at before every layer.</param>
    /// <exception cref="WiscaException">A position is beyond the model's learned positions.</exception>
    public Tensor Hidden(Tensor ids, Branching branching, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(branching);
        return Run(ids, branching, null, null, cancellation);
    }

    /// <summary>
    /// Logits [B, vocabulary] for the token that follows ids [B, T], which follow the positions that are cached. Their keys and values join
    /// the cache. No gradients.
    /// </summary>
    /// <param name="ids">Ids as int64, each below the size of the vocabulary; at least one a sequence.</param>
    /// <param name="cache">Of this model; see <see cref="KeyValueCache"/>.</param>
    /// <exception cref="WiscaException">The cache is full, or the sequence is longer than the model's learned positions.</exception>
    public Tensor Next(Tensor ids, KeyValueCache cache)
    {
        ArgumentNullException.ThrowIfNull(ids);
        ArgumentNullException.ThrowIfNull(cache);
        cache.Check(this, ids);
        using var ungraded = no_grad();
        using var scope = NewDisposeScope();

        // Keys that were rotated for a shorter sequence may not hold any more.
        long end = cache.Length + ids.shape[1];
        bool stale = cache.Length > 0
            && _rotary.Keys.Any(rope => !rope.FrequenciesOf(cache.Length).SequenceEqual(rope.FrequenciesOf(end)));
        var all = stale ? cache.Restart(ids) : ids;
        var hidden = Run(all, null, cache, null, CancellationToken.None);
        cache.Advance(all);
        return Logits(hidden.select(1, -1)).MoveToOuterDisposeScope();
    }

    /// <summary>Logits [..., vocabulary] for what <see cref="Hidden(Tensor, CancellationToken)"/> returns,
    /// or for some positions of it.</summary>
    public Tensor Logits(Tensor hidden)
    {
        ArgumentNullException.ThrowIfNull(hidden);
        using var scope = NewDisposeScope();
        var logits = _head?.forward(hidden) ?? _embedding.Project(hidden);
        if (Config.LogitScale != 1) logits = logits.Times(Config.LogitScale);
        if (Config.LogitCap is { } cap) logits = logits.Capped(cap);
        return logits.MoveToOuterDisposeScope();
    }

    /// <summary>Not by reflection over the fields: the constructor has registered every module under its full name.</summary>
    protected override void RegisterComponents()
    {
    }

    /// <summary>The error that says that what the model computes is no number, with the first weight that is none, if one is.</summary>
    /// <param name="what">What is not finite: <c>the logits at position 3</c>.</param>
    public WiscaException NotFinite(string what)
    {
        using var ungraded = no_grad();
        using var scope = NewDisposeScope();
        string model = Source ?? $"the {Config.ModelType} model";
        foreach (var (name, parameter) in Stored)
        {
            var broken = parameter.isfinite().logical_not();
            if (!broken.any().item<bool>()) continue;
            long at = broken.to(ScalarType.Int32).flatten().argmax().item<long>();
            return new WiscaException(
                $"{model}: {what} are not finite: element {at} of '{name}' is no finite number",
                "the weights are broken; get them again, or take a checkpoint from before");
        }

        return new WiscaException(
            $"{model}: {what} are not finite, though all weights are",
            "it overflows in this precision; compute in float64, or look at the scale of its weights");
    }

    /// <inheritdoc />
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (var table in _rotary.Values) table.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>Whether layers without a window are computed by a kernel that needs no mask.</summary>
    private bool HasSmallHeads(Tensor x) =>
        Operators == AttentionPath.Fused && Config.Attention.Latent is null && SmallHeadAttention.Takes(Config.Attention.HeadDim)
        && (ComputeType ?? x.dtype) == ScalarType.Float32 && TensorMemory.IsPlain(x);

    private AttentionPath Operators => Config.Attention.ScoreCap is null ? AttentionPath : AttentionPath.Eager;

    private Tensor Run(Tensor ids, Branching? branching, KeyValueCache? cache, List<Routing>? routings, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(ids);
        long begin = cache?.Length ?? 0,
            length = ids.shape[1],
            end = branching is null ? begin + length : branching.Positions.max().AsInt64() + 1;
        if (_positions is not null && end > Config.MaxPositions)
            throw new WiscaException(
                $"a sequence of {end} tokens, but the model has {Config.MaxPositions} positions",
                "give it shorter sequences");

        using var whole = NewDisposeScope();
        var x = _embedding.forward(ids);

        // The factor is rounded to the model's type first, as the family's own code does.
        if (Config.EmbeddingScale != 1) x = x * tensor(Config.EmbeddingScale, x.dtype, x.device);
        if (_positions is not null)
            x = x.Plus(
                branching is null
                    ? _positions.Rows(Config.PositionOffset + begin, length)
                    : _positions.forward(branching.Positions.Plus(Config.PositionOffset)));

        var pass = new ForwardPass(Operators, ComputeType ?? x.dtype)
        {
            Cache = cache,
            Branching = branching,
            HiddenKeys = branching is not null && HasSmallHeads(x) ? branching.HiddenKeys() : null,
            Routings = routings,
        };
        foreach (var table in _rotary.Values) table.Reach(end, pass.ComputeType, x.device);
        var masks = Config
            .Layers.Select(layer => layer.Window)
            .Distinct()
            .ToDictionary(
                window => window ?? 0,
                window => pass.HiddenKeys is not null && window is null ? null
                    : branching?.Mask(window, pass.ComputeType) ?? Mask(begin, length, window, pass.ComputeType, x.device));
        for (int layer = 0; layer < _blocks.Length; layer++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var (window, rope, mixture) = Config.Layers[layer];
            var behind = _blocks[layer].Forward(x, rope is null ? null : _rotary[rope], masks[window ?? 0], pass).MoveToOuterDisposeScope();
            if (mixture is not null) Keep(routings);
            x.Dispose();
            x = behind;
        }

        Keep(routings);
        return _finalNorm.Forward(x, pass).to(pass.ComputeType).MoveToOuterDisposeScope();

        static void Keep(List<Routing>? routings)
        {
            foreach (var routing in routings ?? [])
            {
                routing.Probabilities.MoveToOuterDisposeScope();
                routing.Choices.MoveToOuterDisposeScope();
            }
        }
    }

    private static string Ready()
    {
        TorchRuntime.Require();
        return nameof(Decoder);
    }

    /// <summary>0 where a query sees a key and minus infinity elsewhere;
    /// null where the fused kernel's own causal mask says the same.</summary>
    private Tensor? Mask(long begin, long length, int? window, ScalarType dtype, Device device)
    {
        bool all = window is null || window >= begin + length;
        if (all && Operators == AttentionPath.Fused && (begin == 0 || length == 1)) return null;
        long[] shape = [length, begin + length];
        using var unseen = double.NegativeInfinity.ToScalar();
        var mask = full(shape, unseen, dtype, device).triu(begin + 1);
        return all ? mask : mask.Plus(full(shape, unseen, dtype, device).tril(begin - window!.Value));
    }
}
