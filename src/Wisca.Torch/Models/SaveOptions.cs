using Wisca.Safetensors;

namespace Wisca.Torch.Models;

/// <summary>How a model is written.</summary>
public sealed record SaveOptions
{
    /// <summary>The stored type: F32, BF16, F16 or F64; F32 by default.</summary>
    public Dtype Dtype { get; init; } = Dtype.F32;

    /// <summary>A weight file is not filled beyond this many bytes of tensors, unless a single tensor is larger; 5 GB by default.</summary>
    public long ShardBytes { get; init; } = 5_000_000_000;
}
