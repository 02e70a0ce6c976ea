namespace Wisca.Cli.Verbs;

/// <summary>What <c>wisca generate</c> is asked for; null where the command line does not say.</summary>
internal sealed record GenerateArguments
{
    /// <summary>The model's folder.</summary>
    public required string Model { get; init; }

    /// <summary>The beginning of the text.</summary>
    public required string Prompt { get; init; }

    /// <summary>The most tokens to add.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>What logits are divided by; 0 takes the most probable token.</summary>
    public double? Temperature { get; init; }

    /// <summary>How many of the most probable tokens are drawn from.</summary>
    public int? TopK { get; init; }

    /// <summary>How much of the probability is drawn from.</summary>
    public double? TopP { get; init; }

    /// <summary>The seed of the draws.</summary>
    public ulong Seed { get; init; }

    /// <summary>Number of threads.</summary>
    public int Threads { get; init; }
}
