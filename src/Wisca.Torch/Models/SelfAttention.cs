using Wisca.Torch.Kernels;
using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>
/// Causal self-attention with grouped keys. Letters: B sequences, T positions, D hidden, H query heads, G kv heads, d channels of a head.
/// </summary>
internal sealed class SelfAttention : IAttention
{
    private readonly AttentionConfig _config;
    private readonly int _layer;
    private readonly DenseLayer? _qkv, _query, _key, _value;
    private readonly DenseLayer _output;
    private readonly NormLayer[] _queryNorms = [], _keyNorms = [];

    public SelfAttention(ModuleTree tree, string path, DecoderConfig config, int layer)
    {
        _config = config.Attention;
        _layer = layer;
        var names = config.Names;
        int hidden = config.HiddenSize, queries = _config.Heads * _config.HeadDim, keys = _config.KvHeads * _config.HeadDim;
        if (names.FusedQkv is { } fused)
        {
            _qkv = tree.Dense($"{path}.{fused}", hidden, queries + (2 * keys), _config.QkvBias, _config.Orientation);
        }
        else
        {
            _query = tree.Dense($"{path}.{names.Query}", hidden, queries, _config.QkvBias, _config.Orientation);
            _key = tree.Dense($"{path}.{names.Key}", hidden, keys, _config.QkvBias, _config.Orientation);
            _value = tree.Dense($"{path}.{names.Value}", hidden, keys, _config.QkvBias, _config.Orientation);
        }

        _output = tree.Dense($"{path}.{names.Output}", queries, hidden, _config.OutputBias, _config.Orientation);
        if (_config.QkNorm == QkNorm.None) return;
        _queryNorms = Norms(names.QueryNorm, _config.Heads);
        _keyNorms = Norms(names.KeyNorm, _config.KvHeads);

        // Norms of heads have no biases, whatever the others have.
        NormLayer[] Norms(string name, int heads)
        {
            var norm = config.Norm with { Bias = false };
            return _config.QkNorm == QkNorm.EachHeadApart
                ? [.. Enumerable.Range(0, heads).Select(head => tree.Norm($"{path}.{name}.norms.{head}", norm, _config.HeadDim))]
                : [tree.Norm($"{path}.{name}", norm, GainShape(heads))];
        }

        long[] GainShape(int heads) => _config.QkNorm switch
        {
            QkNorm.AllHeads => [heads * _config.HeadDim],
            QkNorm.EachHead => [heads, _config.HeadDim],
            _ => [_config.HeadDim],
        };
    }

    public Tensor Forward(Tensor x, RotaryTable? rotary, Tensor? mask, ForwardPass pass)
    {
        var (q_BTE, k_BTE, v_BTE) = Project(x);
        Tensor q_BTHd = Heads(q_BTE, _config.Heads, _queryNorms),
            k_BTGd = Heads(k_BTE, _config.KvHeads, _keyNorms),
            v_BTGd = Heads(v_BTE, _config.KvHeads, []);
        if (IsSmall(q_BTHd, k_BTGd, v_BTGd, mask, pass))
        {
            var (cosines, sines) = rotary is null ? default : rotary.RowsOf(pass, x.shape[1]);
            var shape = new AttentionShape(_config.Heads, _config.KvHeads, _config.HeadDim, _config.Scale, rotary?.PairsHalves ?? true)
            {
                HiddenKeys = pass.HiddenKeys,
            };
            return _output.forward(SmallHeadAttention.Attend(q_BTHd, k_BTGd, v_BTGd, cosines, sines, shape).flatten(2));
        }

        if (pass.HiddenKeys is not null) mask ??= pass.Branching!.Mask(null, pass.ComputeType);
        if (rotary is not null) (q_BTHd, k_BTGd) = (rotary.Rotate(q_BTHd, pass), rotary.Rotate(k_BTGd, pass));
        Tensor q_BHTd = q_BTHd.transpose(1, 2), k_BGTd = k_BTGd.transpose(1, 2), v_BGTd = v_BTGd.transpose(1, 2);
        if (pass.Cache is { } cache) (k_BGTd, v_BGTd) = cache.Append(_layer, k_BGTd, v_BGTd);
        var mixed_BHTd = AttentionOperators.Attend(q_BHTd, k_BGTd, v_BGTd, mask, _config, pass);
        return _output.forward(mixed_BHTd.transpose(1, 2).flatten(2).to(x.dtype));
    }

    /// <summary>Whether our own kernel computes it: the whole of sequences that begin here, in rows of their own or one after the other.
    /// </summary>
    private bool IsSmall(Tensor q, Tensor k, Tensor v, Tensor? mask, ForwardPass pass) =>
        mask is null
        && pass is { Path: AttentionPath.Fused, Cache: null, ComputeType: ScalarType.Float32 }
        && (pass.Branching is null || pass.HiddenKeys is not null)
        && SmallHeadAttention.Takes(_config.HeadDim)
        && TensorMemory.IsPlain(q) && TensorMemory.IsPlain(k) && TensorMemory.IsPlain(v);

    private (Tensor Query, Tensor Key, Tensor Value) Project(Tensor x)
    {
        if (_qkv is null) return (_query!.forward(x), _key!.forward(x), _value!.forward(x));
        var qkv = _qkv.forward(x);
        if (_config.FusedOrder == FusedOrder.PerHead)
        {
            var parts = qkv.unflatten(2, _config.Heads, 3, _config.HeadDim).unbind(3);
            return (parts[0].flatten(2), parts[1].flatten(2), parts[2].flatten(2));
        }

        int queries = _config.Heads * _config.HeadDim, keys = _config.KvHeads * _config.HeadDim;
        return (qkv.narrow(2, 0, queries), qkv.narrow(2, queries, keys), qkv.narrow(2, queries + keys, keys));
    }

    /// <summary>[B, T, heads x d] to [B, T, heads, d], normalised and clipped where the family does.</summary>
    private Tensor Heads(Tensor projected, int heads, NormLayer[] norms)
    {
        if (norms.Length > 0 && _config.QkNorm == QkNorm.AllHeads) projected = norms[0].forward(projected);
        var split = projected.unflatten(2, heads, _config.HeadDim);
        if (norms.Length > 0 && _config.QkNorm == QkNorm.EachHeadApart)
            split = cat([.. norms.Select((norm, head) => norm.forward(split.narrow(2, head, 1)))], 2);
        else if (norms.Length > 0 && _config.QkNorm != QkNorm.AllHeads) split = norms[0].forward(split);
        return _config.Clip is { } clip ? split.Clipped(clip) : split;
    }
}
