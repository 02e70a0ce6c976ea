namespace Wisca.Evaluation.Scoring;

/// <summary>A question to a model: how probable is the continuation behind the context?</summary>
/// <param name="Context">The text that is given; empty for the beginning of a text.</param>
/// <param name="Continuation">The text whose tokens count.</param>
public readonly record struct LogLikelihoodRequest(string Context, string Continuation);
