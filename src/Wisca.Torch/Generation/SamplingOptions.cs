namespace Wisca.Torch.Generation;

/// <summary>How the next token is chosen.</summary>
public sealed record SamplingOptions
{
    /// <summary>Logits are divided by it; 0 takes the most probable token (greedy). 1 by default.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Only this many of the most probable tokens are drawn from; null for all.</summary>
    public int? TopK { get; init; }

    /// <summary>
    /// Only the fewest most probable tokens whose probabilities reach this sum are drawn from (nucleus sampling: Holtzman et al., ICLR
    /// 2020); null for all. Of what <see cref="TopK"/> leaves, as in Hugging Face transformers.
    /// </summary>
    public double? TopP { get; init; }

    /// <summary>The seed of the draws.</summary>
    public ulong Seed { get; init; }
}
