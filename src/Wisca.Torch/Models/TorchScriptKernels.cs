using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>
/// ATen operators that TorchSharp has no method for, reached through TorchScript. A mistake in the source ends the process, so each
/// function is one operator, and the tests run every one of them.
/// </summary>
internal static class TorchScriptKernels
{
    private const string Source = """
        def attend_causal(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
            return torch.scaled_dot_product_attention(q, k, v, None, 0.0, True, scale=scale, enable_gqa=True)

        def attend_all(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
            return torch.scaled_dot_product_attention(q, k, v, None, 0.0, False, scale=scale, enable_gqa=True)

        def attend_masked(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, scale: float) -> Tensor:
            return torch.scaled_dot_product_attention(q, k, v, mask, 0.0, False, scale=scale, enable_gqa=True)

        def embed(weight: Tensor, ids: Tensor) -> Tensor:
            return torch.embedding(weight, ids)

        """;

    private static readonly Lazy<jit.CompilationUnit> Unit = new(() => jit.compile(Source));

    /// <summary>Causal attention of q [B, heads, T, d] to k and v [B, kv heads,
    /// T, d], a group of query heads sharing each kv head.</summary>
    public static Tensor AttendCausal(Tensor q, Tensor k, Tensor v, double scale) => Invoke("attend_causal", q, k, v, scale);

    /// <summary>As <see cref="AttendCausal"/>, but every query sees every key.</summary>
    public static Tensor AttendAll(Tensor q, Tensor k, Tensor v, double scale) => Invoke("attend_all", q, k, v, scale);

    /// <summary>As <see cref="AttendAll"/>, under an additive mask [queries, keys] of q's type.</summary>
    public static Tensor AttendMasked(Tensor q, Tensor k, Tensor v, Tensor mask, double scale) =>
        Invoke("attend_masked", q, k, v, mask, scale);

    /// <summary>Rows of weight [n, D] for ids of any shape.</summary>
    public static Tensor Embed(Tensor weight, Tensor ids) => Invoke("embed", weight, ids);

    private static Tensor Invoke(string name, params object[] arguments) => (Tensor)Unit.Value.Call(name, arguments);
}
