using System.Text.Json.Serialization;

namespace Wisca.Training.Configuration;

/// <summary>The element type that a training step computes in.
/// Weights, gradients and optimizer state are kept in float32 in any case.</summary>
public enum TrainingPrecision
{
    /// <summary>IEEE single precision.</summary>
    [JsonStringEnumMemberName("fp32")]
    Fp32,

    /// <summary>bfloat16 in the forward and backward pass;
    /// faster only where <see cref="Torch.TorchRuntime.FastBFloat16"/> is true.</summary>
    [JsonStringEnumMemberName("bf16")]
    Bf16,
}
