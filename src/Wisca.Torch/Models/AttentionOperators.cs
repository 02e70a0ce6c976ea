using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>
/// Scores, softmax and mixing of values. Letters: B sequences, T positions, S positions that are seen, H query heads, G kv heads,
/// d channels of queries and keys, e of values.
/// </summary>
internal static class AttentionOperators
{
    /// <summary>The values that each query sees, mixed: [B, H, T, e].</summary>
    public static Tensor Attend(
        Tensor q_BHTd, Tensor k_BGSd, Tensor v_BGSe, Tensor? mask, AttentionConfig config, ForwardPass pass)
    {
        var type = MatrixProduct.TypeFor(q_BHTd);
        (q_BHTd, k_BGSd, v_BGSe, mask) = (q_BHTd.to(type), k_BGSd.to(type), v_BGSe.to(type), mask?.to(type));
        return pass.Path == AttentionPath.Eager ? Eager(q_BHTd, k_BGSd, v_BGSe, mask!, config)
            : mask is null && pass.Begin > 0 ? TorchScriptKernels.AttendAll(q_BHTd, k_BGSd, v_BGSe, config.Scale)
            : mask is null ? TorchScriptKernels.AttendCausal(q_BHTd, k_BGSd, v_BGSe, config.Scale)
            : TorchScriptKernels.AttendMasked(q_BHTd, k_BGSd, v_BGSe, mask, config.Scale);
    }

    /// <summary>The query heads of a group are laid behind each other, so that one product with the group's keys serves them all.</summary>
    private static Tensor Eager(Tensor q_BHTd, Tensor k_BGSd, Tensor v_BGSe, Tensor mask, AttentionConfig config)
    {
        long length = q_BHTd.shape[2];
        if (mask.dim() == 4) mask = mask.unsqueeze(1);
        var grouped = q_BHTd.unflatten(1, config.KvHeads, config.Heads / config.KvHeads).flatten(2, 3);
        var scores = grouped.matmul(k_BGSd.transpose(-1, -2)).Times(config.Scale);
        if (config.ScoreCap is { } cap) scores = scores.Capped(cap);
        scores = scores.unflatten(2, -1, length).Plus(mask);
        var weights = scores.softmax(-1, NormLayer.AtLeastFloat32(scores.dtype)).to(v_BGSe.dtype);
        return weights.flatten(2, 3).matmul(v_BGSe).unflatten(2, -1, length).flatten(1, 2);
    }
}
