using Wisca.Checkpoints;
using Wisca.Torch;
using static TorchSharp.torch;

namespace Wisca.Models;

/// <summary>
/// A decoder-only Transformer of one of <see cref="DecoderConfig.ModelTypes"/>. Parameters carry the names that Hugging Face gives the
/// tensors of a whole model; an output projection that is tied to the embedding is no parameter of its own.
/// </summary>
public sealed class Decoder : nn.Module<Tensor, Tensor>
{
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
        _blocks = [.. config.Layers.Select((_, layer) => new DecoderBlock(tree, $"{names.Root}.{names.Layers}.{layer}", config))];
        _finalNorm = tree.Norm($"{names.Root}.{names.FinalNorm}", config.Norm, config.HiddenSize);
        if (!config.TiedHead) _head = tree.Dense(names.Head, config.HiddenSize, config.VocabularySize, config.HeadBias);
        _rotary = config.Layers.Select(layer => layer.Rope).OfType<RopeConfig>().Distinct().ToDictionary(rope => rope, rope => new RotaryTable(rope));
    }

    /// <summary>What the model was built from.</summary>
    public DecoderConfig Config { get; }

    /// <summary>Which operators compute attention; the fused ones by default.</summary>
    public AttentionPath AttentionPath { get; set; }

    /// <summary>Reads a checkpoint into a new model. Weights go from the mapped file into the model's memory piece by piece.</summary>
    /// <param name="checkpoint">The opened model folder.</param>
    /// <param name="precision">The element type to compute in.</param>
    /// <exception cref="WiscaException">
    /// The family is not supported, the configuration is wrong, or the tensors are not those it promises; the error lists every difference.
    /// </exception>
    public static Decoder Load(Checkpoint checkpoint, ComputePrecision precision = ComputePrecision.F32)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        TorchRuntime.Require();
        return new WeightLoader(checkpoint, DecoderConfig.From(checkpoint.Config)).Load(precision);
    }

    /// <summary>Logits [B, T, vocabulary] for token ids [B, T].</summary>
    /// <param name="input">Ids as int64, each below the size of the vocabulary.</param>
    /// <exception cref="WiscaException">The sequence is longer than the model's learned positions.</exception>
    public override Tensor forward(Tensor input) => Logits(Hidden(input));

    /// <summary>The normalised residual stream behind the last layer, [B, T, hidden], for token ids [B, T].</summary>
    /// <param name="ids">Ids as int64, each below the size of the vocabulary.</param>
    /// <param name="cancellation">Looked at before every layer.</param>
    /// <exception cref="WiscaException">The sequence is longer than the model's learned positions.</exception>
    public Tensor Hidden(Tensor ids, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(ids);
        long length = ids.shape[1];
        if (_positions is not null && length > Config.MaxPositions)
            throw new WiscaException($"a sequence of {length} tokens, but the model has {Config.MaxPositions} positions", "give it shorter sequences");

        using var whole = NewDisposeScope();
        var x = _embedding.forward(ids);

        // The factor is rounded to the model's type first, as the family's own code does.
        if (Config.EmbeddingScale != 1) x *= tensor(Config.EmbeddingScale, x.dtype, x.device);
        if (_positions is not null) x += _positions.Rows(Config.PositionOffset, length);

        foreach (var table in _rotary.Values) table.Reach(length, x.dtype, x.device);
        var masks = Config.Layers.Select(layer => layer.Window).Distinct().ToDictionary(window => window ?? 0, window => Mask(length, window, x));
        for (int layer = 0; layer < _blocks.Length; layer++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var (window, rope) = Config.Layers[layer];
            var behind = _blocks[layer].Forward(x, rope is null ? null : _rotary[rope], masks[window ?? 0], AttentionPath).MoveToOuterDisposeScope();
            x.Dispose();
            x = behind;
        }

        return _finalNorm.forward(x).MoveToOuterDisposeScope();
    }

    /// <summary>Logits [..., vocabulary] for what <see cref="Hidden"/> returns, or for some positions of it.</summary>
    public Tensor Logits(Tensor hidden)
    {
        ArgumentNullException.ThrowIfNull(hidden);
        using var scope = NewDisposeScope();
        var logits = _head?.forward(hidden) ?? _embedding.Project(hidden);
        return (Config.LogitScale == 1 ? logits : logits * Config.LogitScale).MoveToOuterDisposeScope();
    }

    /// <summary>Not by reflection over the fields: the constructor has registered every module under its full name.</summary>
    protected override void RegisterComponents()
    {
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

    private static string Ready()
    {
        TorchRuntime.Require();
        return nameof(Decoder);
    }

    /// <summary>0 where a query sees a key and minus infinity elsewhere; null where the fused kernel's own causal mask says the same.</summary>
    private Tensor? Mask(long length, int? window, Tensor like)
    {
        bool all = window is null || window >= length;
        if (all && AttentionPath == AttentionPath.Fused) return null;
        var mask = full([length, length], double.NegativeInfinity, like.dtype, like.device).triu(1);
        return all ? mask : mask + full([length, length], double.NegativeInfinity, like.dtype, like.device).tril(-window!.Value);
    }
}
