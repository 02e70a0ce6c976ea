namespace Wisca.Data.Tokenizers.Pipelines;

/// <summary>What a model expects around a text.</summary>
internal sealed record TokenTemplate(IReadOnlyList<int> Before, IReadOnlyList<int> After)
{
    public static TokenTemplate None { get; } = new([], []);
}
