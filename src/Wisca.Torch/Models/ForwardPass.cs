using static TorchSharp.torch;

namespace Wisca.Models;

/// <summary>What one forward pass tells every layer, and what it collects from them.</summary>
/// <param name="Path">Which operators compute attention.</param>
/// <param name="ComputeType">The type of what goes into matrix products; the residual stream keeps the parameters' type.</param>
internal sealed record ForwardPass(AttentionPath Path, ScalarType ComputeType)
{
    /// <summary>The routers' decisions, layer by layer; null where nobody asks for them.</summary>
    public List<Routing>? Routings { get; init; }
}
