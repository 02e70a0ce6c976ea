using TorchSharp;
using Wisca.Communication;
using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>
/// Several feed-forward layers, of which each token goes through those its router rates highest.
/// Letters: N tokens, D hidden, E experts, k experts of a token.
/// </summary>
internal sealed class ExpertMixture : IFeedForward
{
    private readonly MixtureConfig _config;
    private readonly string _bias;
    private readonly DenseLayer _router;
    private readonly FeedForward[] _experts;
    private readonly FeedForward? _shared;
    private readonly DenseLayer? _sharedGate;

    public ExpertMixture(ModuleTree tree, string path, DecoderConfig config, MixtureConfig mixture)
    {
        _config = mixture;
        _router = tree.Dense(path + config.Names.Router, config.HiddenSize, mixture.Experts, bias: false);
        _bias = config.Names.RouterBias;
        if (mixture.SigmoidScores) tree.Buffer(_router, _bias, mixture.Experts);
        _experts =
        [
            .. Enumerable.Range(0, mixture.Experts)
                .Select(expert => new FeedForward(tree, $"{path}{config.Names.Experts}.{expert}.", config, mixture.IntermediateSize)),
        ];
        if (mixture.SharedIntermediateSize is not { } width) return;
        _shared = new FeedForward(tree, $"{path}{config.Names.SharedExpert}.", config, width);
        if (config.Names.SharedExpertGate is { } gate) _sharedGate = tree.Dense(path + gate, config.HiddenSize, 1, bias: false);
    }

    /// <summary>
    /// Tokens are sorted by expert, so that each expert computes its own tokens and no others, and added up in the order of their scores.
    /// An expert without tokens computes an empty product: its gradient is zero and not missing.
    /// </summary>
    public Tensor Forward(Tensor x, ForwardPass pass)
    {
        var tokens_ND = x.reshape(-1, x.shape[^1]);
        long each = _config.ExpertsPerToken;
        var probabilities_NE = Score(tokens_ND);
        var chosen_Nk = Choose(probabilities_NE);
        var weights_Nk = probabilities_NE.gather(1, chosen_Nk);
        if (_config.NormalizeWeights) weights_Nk = weights_Nk / weights_Nk.sum(-1, keepdim: true);
        if (_config.WeightScale != 1) weights_Nk = weights_Nk.Times(_config.WeightScale);
        var flat = chosen_Nk.flatten();
        var order = flat.sort(stable: true).Indices;
        var counts = flat.bincount(null, _config.Experts);
        pass.Routings?.Add(new Routing(probabilities_NE.sum([0]), counts.to(probabilities_NE.dtype), tokens_ND.shape[0]));

        using var copies = each.ToScalar();
        var sorted = tokens_ND.index_select(0, order.floor_divide(copies));
        long begin = 0;
        var results = new List<Tensor>();
        foreach (long count in counts.data<long>().ToArray())
        {
            results.Add(_experts[results.Count].Forward(sorted.narrow(0, begin, count), pass));
            begin += count;
        }

        var results_NkD = cat(results, 0).index_select(0, order.argsort()).unflatten(0, -1, each);
        var mixed_ND = (results_NkD * weights_Nk.to(x.dtype).unsqueeze(-1)).sum(1);
        if (_shared?.Forward(tokens_ND, pass) is { } shared_ND)
            mixed_ND = mixed_ND.Plus(_sharedGate is null ? shared_ND : _sharedGate.forward(tokens_ND).sigmoid() * shared_ND);
        return mixed_ND.view_as(x);
    }

    /// <summary>How much each expert suits each token; at least float32, and sigmoids from the product on.</summary>
    private Tensor Score(Tensor tokens_ND)
    {
        var type = NormLayer.AtLeastFloat32(tokens_ND.dtype);
        return _config.SigmoidScores ? _router.forward(tokens_ND.to(type)).sigmoid() : _router.forward(tokens_ND).softmax(-1, type);
    }

    private Tensor Choose(Tensor scores_NE)
    {
        using var ungraded = no_grad();
        if (_config.SigmoidScores) scores_NE = scores_NE.Plus(_router.get_buffer(_bias)!.to(scores_NE.dtype));
        if (_config.GroupsPerToken < _config.Groups)
        {
            var grouped_NGe = scores_NE.unflatten(1, _config.Groups, _config.Experts / _config.Groups);
            var best_Ng = grouped_NGe.topk(2).Item1.sum(-1).topk(_config.GroupsPerToken).Item2;
            var out_NG = ones([scores_NE.shape[0], _config.Groups], ScalarType.Bool, scores_NE.device)
                .scatter(1, best_Ng, zeros(best_Ng.shape, ScalarType.Bool, scores_NE.device));
            using var never = double.NegativeInfinity.ToScalar();
            scores_NE = grouped_NGe.masked_fill(out_NG.unsqueeze(-1), never).flatten(1);
        }

        return scores_NE.topk(_config.ExpertsPerToken).Item2;
    }

    /// <summary>
    /// The load-balancing loss of <see cref="MixtureConfig.BalanceWeight"/>, without that weight. It is a product of means over the batch:
    /// where ranks have a part of it each, all know the choices of all, and the results of the ranks add up to the whole's.
    /// </summary>
    public static Tensor Balance(IReadOnlyList<Routing> routings, ICommunicator? communicator)
    {
        double tokens = routings.Sum(routing => routing.Tokens);
        Tensor choices = routings.Select(routing => routing.Choices).Aggregate((a, b) => a.Plus(b)),
            probabilities = routings.Select(routing => routing.Probabilities).Aggregate((a, b) => a.Plus(b));
        if (communicator is { Size: > 1 })
        {
            double[] counts = [.. choices.detach().to(ScalarType.Float64).cpu().data<double>(), tokens];
            communicator.Sum(counts);
            choices = tensor(counts[..^1], choices.dtype, choices.device);
            tokens = counts[^1];
        }

        return (choices.Over(tokens) * probabilities.Over(tokens)).sum().Times(choices.shape[0]);
    }
}
