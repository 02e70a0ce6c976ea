using System.Text.Json.Serialization;

namespace Wisca.Torch.Transitions;

/// <summary>How the basis is looked for in which a covariance is diagonal.</summary>
public enum BasisSearch
{
    /// <summary>Eigenvectors up to a size of 1,024, iteration beyond.</summary>
    [JsonStringEnumMemberName("auto")]
    Auto,

    /// <summary>All eigenvectors at once: the covariance becomes diagonal, and where eigenvalues are close axes move far.</summary>
    [JsonStringEnumMemberName("eigenvectors")]
    Eigenvectors,

    /// <summary>
    /// One step of orthogonal iteration (the Q of a QR decomposition), at a tenth of the cost: it leads there over many rotations, and
    /// moves no axis further than the covariance is from diagonal.
    /// </summary>
    [JsonStringEnumMemberName("iteration")]
    Iteration,
}
