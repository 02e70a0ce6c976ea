namespace Wisca.Evaluation.Scoring;

/// <summary>A request as token ids.</summary>
/// <param name="Context">What is given; at least one id.</param>
/// <param name="Continuation">The ids that count; at least one.</param>
internal readonly record struct TokenRequest(int[] Context, int[] Continuation);
