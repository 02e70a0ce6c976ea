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

    /// <summary>
    /// Only tokens at least this many times as probable as the most probable one are drawn from, 0 to 1; null for all. Of what
    /// <see cref="TopP"/> leaves, as in Hugging Face transformers.
    /// </summary>
    public double? MinP { get; init; }

    /// <summary>
    /// Logits of tokens that the text already has, prompt included, are divided by it where they are positive and multiplied where not
    /// (Keskar et al., CTRL, 2019); also where nothing is drawn. Above 0; 1, the default, changes nothing.
    /// </summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>The seed of the draws.</summary>
    public ulong Seed { get; init; }
}
