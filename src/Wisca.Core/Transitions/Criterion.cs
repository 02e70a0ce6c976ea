using System.Text.Json.Serialization;

namespace Wisca.Transitions;

/// <summary>
/// Which norm n of the two sides a transition makes equal; the factor is s = sqrt(n(W_2) / n(W_1)). All but
/// <see cref="Fisher"/> are homogeneous of degree one, so s W_1 and W_2 / s have equal norms.
/// </summary>
public enum Criterion
{
    /// <summary>Sum of absolute values, the paper's choice; it minimises their total over both sides.</summary>
    [JsonStringEnumMemberName("l1")]
    L1,

    /// <summary>Mean absolute value: as <see cref="L1"/>, but blind to the number of rows (grouped-query attention).</summary>
    [JsonStringEnumMemberName("l1-mean")]
    L1Mean,

    /// <summary>Frobenius norm; it minimises the weight-decay energy of both sides.</summary>
    [JsonStringEnumMemberName("l2")]
    L2,

    /// <summary>Root mean square: as <see cref="L2"/>, but blind to the number of rows.</summary>
    [JsonStringEnumMemberName("rms")]
    Rms,

    /// <summary>Largest singular value, by the Lanczos method.</summary>
    [JsonStringEnumMemberName("spectral")]
    Spectral,

    /// <summary>
    /// Root of the summed second moments of the gradients, as Adam keeps them: a stand-in for the root of the curvature's trace. It falls
    /// where the weights grow, so the factor is s = sqrt(n(g_1) / n(g_2)), which makes the traces of both sides equal. Only in training.
    /// </summary>
    [JsonStringEnumMemberName("fisher")]
    Fisher,
}
