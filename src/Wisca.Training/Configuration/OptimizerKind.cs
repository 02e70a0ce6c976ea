using System.Text.Json.Serialization;

namespace Wisca.Training.Configuration;

/// <summary>The update rule.</summary>
public enum OptimizerKind
{
    /// <summary>Adam with decoupled weight decay.</summary>
    [JsonStringEnumMemberName("adamw")]
    AdamW,

    /// <summary>Gradient descent with momentum.</summary>
    [JsonStringEnumMemberName("sgd")]
    Sgd,

    /// <summary>The sign of interpolated momentum.</summary>
    [JsonStringEnumMemberName("lion")]
    Lion,

    /// <summary>Orthogonalised momentum for matrices, AdamW for the rest.</summary>
    [JsonStringEnumMemberName("muon")]
    Muon,

    /// <summary>Adam in the eigenbases of the gradient's Gram matrices, AdamW for what is no matrix.</summary>
    [JsonStringEnumMemberName("soap")]
    Soap,
}
