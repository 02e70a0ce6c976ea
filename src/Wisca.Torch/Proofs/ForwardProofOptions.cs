using Wisca.Adapters;
using Wisca.Torch.Models;

namespace Wisca.Torch.Proofs;

/// <summary>How two models are run against each other.</summary>
public sealed record ForwardProofOptions
{
    /// <summary>The element type to compute in; float32 by default.</summary>
    public ComputePrecision Precision { get; init; }

    /// <summary>
    /// True, the default, to judge models that are not bit-identical in float32 by their logits in float64, if the machine has the memory:
    /// what float32 itself rounds then hides nothing and is no reason to suspect anything. No other precision is sharpened.
    /// </summary>
    public bool Sharpen { get; init; } = true;

    /// <summary>
    /// How many tokens a model sees at a time; each window begins anew, with the token that the one before it had to predict last. By
    /// default 512, or what the models were made for if that is less; more than that is refused.
    /// </summary>
    public int? WindowLength { get; init; }

    /// <summary>An adapter that A runs with, unmerged; null for none.</summary>
    public AdapterBinding? Adapter { get; init; }

    /// <summary>Number of threads; all processors by default.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;
}
