using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>One layer: attention and a feed-forward part on the residual stream, one after the other or side by side.</summary>
internal sealed class DecoderBlock
{
    private readonly bool _parallel;
    private readonly double _scale;
    private readonly NormLayer? _attentionNorm, _feedForwardNorm, _attentionPostNorm, _feedForwardPostNorm;
    private readonly IAttention _attention;
    private readonly IFeedForward _feedForward;

    public DecoderBlock(ModuleTree tree, string path, DecoderConfig config, int layer)
    {
        var names = config.Names;
        string feedForward = names.FeedForward.Length == 0 ? $"{path}." : $"{path}.{names.FeedForward}.";
        _parallel = config.Parallel;
        _scale = config.ResidualScale;
        _attentionNorm = Norm(names.AttentionNorm);
        string attention = $"{path}.{names.Attention}";
        _attention = config.Attention.Latent is { } latent
            ? new LatentAttention(tree, attention, config, latent, layer)
            : new SelfAttention(tree, attention, config, layer);
        _attentionPostNorm = Norm(names.AttentionPostNorm);
        _feedForwardNorm = Norm(names.FeedForwardNorm);
        _feedForward = config.Layers[layer].Mixture is { } mixture
            ? new ExpertMixture(tree, feedForward, config, mixture)
            : new FeedForward(tree, feedForward, config, config.FeedForward.IntermediateSize);
        _feedForwardPostNorm = Norm(names.FeedForwardPostNorm);

        NormLayer? Norm(string? name) => name is null ? null : tree.Norm($"{path}.{name}", config.Norm, config.HiddenSize);
    }

    /// <summary>The residual stream behind the layer; the parameters are those of <see cref="IAttention.Forward"/>.</summary>
    public Tensor Forward(Tensor x, RotaryTable? rotary, Tensor? mask, ForwardPass pass)
    {
        var read = Read(_attentionNorm, x, pass);
        var attended = _attention.Forward(read, rotary, mask, pass);
        if (_attentionPostNorm is not null) attended = _attentionPostNorm.Forward(attended, pass);
        attended = Scaled(attended);
        if (_parallel) return x.Plus(attended).Plus(FeedForward(_feedForwardNorm is null ? read : Read(_feedForwardNorm, x, pass), pass));
        x = x.Plus(attended);
        return x.Plus(FeedForward(Read(_feedForwardNorm, x, pass), pass));
    }

    private static Tensor Read(NormLayer? norm, Tensor x, ForwardPass pass) => (norm?.Forward(x, pass) ?? x).to(pass.ComputeType);

    private Tensor FeedForward(Tensor read, ForwardPass pass)
    {
        var result = _feedForward.Forward(read, pass);
        return Scaled(_feedForwardPostNorm?.Forward(result, pass) ?? result);
    }

    private Tensor Scaled(Tensor x) => _scale == 1 ? x : x.Times(_scale);
}
