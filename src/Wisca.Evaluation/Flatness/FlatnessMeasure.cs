using System.Text.Json.Serialization;

namespace Wisca.Evaluation.Flatness;

/// <summary>What can be measured.</summary>
public enum FlatnessMeasure
{
    /// <summary>The largest eigenvalues of the Hessian.</summary>
    [JsonStringEnumMemberName("eigenvalues")]
    Eigenvalues,

    /// <summary>Its trace, and those of each tensor's block.</summary>
    [JsonStringEnumMemberName("trace")]
    Trace,

    /// <summary>Plain and adaptive sharpness.</summary>
    [JsonStringEnumMemberName("sam")]
    Sharpness,

    /// <summary>How a step down the gradient turns it.</summary>
    [JsonStringEnumMemberName("gradients")]
    Gradients,

    /// <summary>The traces of both sides of every pair.</summary>
    [JsonStringEnumMemberName("pairs")]
    Pairs,

    /// <summary>The loss along random directions.</summary>
    [JsonStringEnumMemberName("slice")]
    Slice,

    /// <summary>The loss on the line to another checkpoint.</summary>
    [JsonStringEnumMemberName("between")]
    Between,

    /// <summary>All of it along the orbit of equivalent models.</summary>
    [JsonStringEnumMemberName("orbit")]
    Orbit,
}
