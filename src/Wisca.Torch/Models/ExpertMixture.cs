using static TorchSharp.torch;

namespace Wisca.Models;

/// <summary>Several feed-forward layers, of which each token goes through those its router rates highest.</summary>
internal sealed class ExpertMixture : IFeedForward
{
    private readonly MixtureConfig _config;
    private readonly DenseLayer _router;
    private readonly FeedForward[] _experts;

    public ExpertMixture(ModuleTree tree, string path, DecoderConfig config)
    {
        _config = config.FeedForward.Mixture!;
        _router = tree.Dense(path + config.Names.Router, config.HiddenSize, _config.Experts, bias: false);
        _experts = [.. Enumerable.Range(0, _config.Experts).Select(expert => new FeedForward(tree, $"{path}{config.Names.Experts}.{expert}.", config))];
    }

    public Tensor Forward(Tensor x)
    {
        var tokens_ND = x.reshape(-1, x.shape[^1]);
        var scores_NE = _router.forward(tokens_ND);
        var (weights_Nk, chosen_Nk) = scores_NE.softmax(-1, NormLayer.AtLeastFloat32(scores_NE.dtype)).topk(_config.ExpertsPerToken);
        weights_Nk = (weights_Nk / weights_Nk.sum(-1, keepdim: true)).to(x.dtype);
        var result_ND = zeros_like(tokens_ND);
        for (int expert = 0; expert < _experts.Length; expert++)
        {
            var hits = chosen_Nk.eq(expert).nonzero();
            if (hits.shape[0] == 0) continue;
            Tensor token = hits.select(1, 0), slot = hits.select(1, 1);
            var share = weights_Nk.index_select(0, token).gather(1, slot.unsqueeze(1));
            result_ND = result_ND.index_add(0, token, _experts[expert].Forward(tokens_ND.index_select(0, token)) * share, 1);
        }

        return result_ND.view_as(x);
    }
}
