using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>What one forward pass tells every layer, and what it collects from them.</summary>
/// <param name="Path">Which operators compute attention.</param>
/// <param name="ComputeType">The type of what goes into matrix products; the residual stream keeps the parameters' type.</param>
internal sealed record ForwardPass(AttentionPath Path, ScalarType ComputeType)
{
    /// <summary>Keys and values of the positions before; null where the sequences begin here.</summary>
    public KeyValueCache? Cache { get; init; }

    /// <summary>The position of the first token: how many are cached.</summary>
    public long Begin => Cache?.Length ?? 0;

    /// <summary>The position of every token, [B, T]; null where they follow each other from <see cref="Begin"/>.</summary>
    public Tensor? Positions => Branching?.Positions;

    /// <summary>Which tokens see each other, where rows hold several sequences; null for one sequence a row.</summary>
    public Branching? Branching { get; init; }

    /// <summary>Its <see cref="Branching.HiddenKeys"/>, where kernels are to go by them and no mask was made.</summary>
    public int[]? HiddenKeys { get; init; }

    /// <summary>The routers' decisions, layer by layer; null where nobody asks for them.</summary>
    public List<Routing>? Routings { get; init; }
}
