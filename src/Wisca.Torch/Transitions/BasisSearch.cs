using System.Text.Json.Serialization;

namespace Wisca.Torch.Transitions;

/// <summary>How the basis is looked for in which a covariance is diagonal.</summary>
public enum BasisSearch
{
    /// <summary>
    /// One step of orthogonal iteration (the Q of a QR decomposition), at a tenth of the cost of eigenvectors: it leads there over many
    /// rotations, and moves no axis further than the covariance is from diagonal.
    /// </summary>
    [JsonStringEnumMemberName("iteration")]
    Iteration,

    /// <summary>All eigenvectors at once: the covariance becomes diagonal, and where eigenvalues are close axes move far.</summary>
    [JsonStringEnumMemberName("eigenvectors")]
    Eigenvectors,
}
