using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>
/// Attention through latents, under DeepSeek's names. Letters: B sequences, T positions, S positions that are seen, D hidden, H heads,
/// n channels of a head without RoPE, r with it, d = n + r, e channels of its values, L width of the latent.
/// </summary>
internal sealed class LatentAttention : IAttention
{
    // The latents' norms have the default of their class, whatever the configuration states for the others.
    private const double Epsilon = 1e-6;

    private readonly AttentionConfig _config;
    private readonly LatentConfig _latent;
    private readonly int _layer;
    private readonly DenseLayer? _queryDown;
    private readonly NormLayer? _queryNorm;
    private readonly DenseLayer _query, _down, _up, _output;
    private readonly NormLayer _norm;

    public LatentAttention(ModuleTree tree, string path, DecoderConfig config, LatentConfig latent, int layer)
    {
        _config = config.Attention;
        _latent = latent;
        _layer = layer;
        int hidden = config.HiddenSize, queries = _config.Heads * _config.HeadDim;
        var norm = config.Norm with { Epsilon = Epsilon };
        if (latent.QueryRank is { } rank)
        {
            _queryDown = tree.Dense($"{path}.q_a_proj", hidden, rank, _config.QkvBias);
            _queryNorm = tree.Norm($"{path}.q_a_layernorm", norm, rank);
            _query = tree.Dense($"{path}.q_b_proj", rank, queries, bias: false);
        }
        else
        {
            _query = tree.Dense($"{path}.{config.Names.Query}", hidden, queries, bias: false);
        }

        _down = tree.Dense($"{path}.kv_a_proj_with_mqa", hidden, latent.Rank + latent.RotaryDim, _config.QkvBias);
        _norm = tree.Norm($"{path}.kv_a_layernorm", norm, latent.Rank);
        _up = tree.Dense($"{path}.kv_b_proj", latent.Rank, _config.Heads * (latent.PlainDim + latent.ValueDim), bias: false);
        _output = tree.Dense($"{path}.{config.Names.Output}", _config.Heads * latent.ValueDim, hidden, _config.OutputBias);
    }

    public Tensor Forward(Tensor x, RotaryTable? rotary, Tensor? mask, ForwardPass pass)
    {
        var (_, rank, plain, turned, values) = _latent;
        var q_BTE = _query.forward(_queryDown is null ? x : _queryNorm!.forward(_queryDown.forward(x)));
        var q_BTHd = q_BTE.unflatten(2, _config.Heads, _config.HeadDim);
        Tensor qn_BTHn = q_BTHd.narrow(3, 0, plain), qr_BTHr = q_BTHd.narrow(3, plain, turned);
        var down_BTE = _down.forward(x);
        var latent_BTL = _norm.forward(down_BTE.narrow(2, 0, rank));
        var kr_BT1r = down_BTE.narrow(2, rank, turned).unsqueeze(2);
        if (rotary is not null) (qr_BTHr, kr_BT1r) = (rotary.Rotate(qr_BTHr, pass), rotary.Rotate(kr_BT1r, pass));

        // What is cached is the latent and the one rotated key, from which the heads' keys and values follow.
        Tensor latent_B1SL = latent_BTL.unsqueeze(1), kr_B1Sr = kr_BT1r.transpose(1, 2);
        if (pass.Cache is { } cache) (latent_B1SL, kr_B1Sr) = cache.Append(_layer, latent_B1SL, kr_B1Sr);
        var up_BHSE = _up.forward(latent_B1SL.squeeze(1)).unflatten(2, _config.Heads, plain + values).transpose(1, 2);
        Tensor k_BHSd = cat([up_BHSE.narrow(3, 0, plain), kr_B1Sr.expand(-1, _config.Heads, -1, -1)], 3),
            v_BHSe = up_BHSE.narrow(3, plain, values);
        var q_BHTd = cat([qn_BTHn, qr_BTHr], 3).transpose(1, 2);
        var mixed_BHTe = AttentionOperators.Attend(q_BHTd, k_BHSd, v_BHSe, mask, _config, pass);
        return _output.forward(mixed_BHTe.transpose(1, 2).flatten(2).to(x.dtype));
    }
}
