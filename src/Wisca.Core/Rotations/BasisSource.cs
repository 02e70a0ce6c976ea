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
}
