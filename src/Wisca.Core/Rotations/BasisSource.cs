using System.Text.Json.Serialization;

namespace Wisca.Rotations;

/// <summary>What chooses the basis of a checkpoint's space.</summary>
public enum BasisSource
{
    /// <summary>The eigenvectors of the weights' covariance: it needs no training, and puts the directions in which weights are large
    /// first.</summary>
    [JsonStringEnumMemberName("weights")]
    Weights,

    /// <summary>A Hadamard matrix with random signs, which spreads outliers.</summary>
    [JsonStringEnumMemberName("hadamard")]
    Hadamard,

    /// <summary>A random orthogonal matrix.</summary>
    [JsonStringEnumMemberName("random")]
    Random,

    /// <summary>
    /// Of heads only, and no rotation: the invertible matrix that makes both sides' products with themselves equal, W_v W_v^T = W_o^T W_o
    /// (and those of keys and queries), by which |W_v|^2 + |W_o|^2 is least.
    /// </summary>
    [JsonStringEnumMemberName("balanced")]
    Balanced,
}
