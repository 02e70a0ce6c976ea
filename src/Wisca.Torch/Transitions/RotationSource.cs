using System.Text.Json.Serialization;

namespace Wisca.Torch.Transitions;

/// <summary>What decides the basis that a rotation in training turns to.</summary>
public enum RotationSource
{
    /// <summary>The eigenvectors of the gradients' covariance, averaged over the steps.</summary>
    [JsonStringEnumMemberName("gradient")]
    Gradient,

    /// <summary>The eigenvectors of the covariance of the optimizer's momenta: nothing is kept between transitions.</summary>
    [JsonStringEnumMemberName("momentum")]
    Momentum,

    /// <summary>The eigenvectors of the weights' own covariance.</summary>
    [JsonStringEnumMemberName("weights")]
    Weights,

    /// <summary>A matrix drawn evenly from all orthogonal ones, a new one each time: the control of rotating at all.</summary>
    [JsonStringEnumMemberName("random")]
    Random,

    /// <summary>No rotation. With gains that are folded, the control of folding them.</summary>
    [JsonStringEnumMemberName("identity")]
    Identity,

    /// <summary>A Hadamard matrix with random signs, new ones each time: it spreads what lies in one channel over all of them.</summary>
    [JsonStringEnumMemberName("hadamard")]
    Hadamard,
}
