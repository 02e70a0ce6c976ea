using System.Text.Json.Serialization;

namespace Wisca.Training.Configuration;

/// <summary>What goes into the covariance that a rotation makes diagonal.</summary>
public enum CovarianceExtent
{
    /// <summary>Everything that reads or writes the residual stream.</summary>
    [JsonStringEnumMemberName("all")]
    All,

    /// <summary>All but embeddings and the output projection.</summary>
    [JsonStringEnumMemberName("inner")]
    Inner,
}
