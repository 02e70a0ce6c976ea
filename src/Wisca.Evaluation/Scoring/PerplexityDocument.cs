namespace Wisca.Evaluation.Scoring;

/// <summary>A document.</summary>
/// <param name="Original">The text as it stands in its file, whose words and bytes are counted.</param>
/// <param name="Scored">The text whose tokens are predicted: the same, or detokenised.</param>
internal readonly record struct PerplexityDocument(string Original, string Scored);
