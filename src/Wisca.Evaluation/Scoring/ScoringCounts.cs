namespace Wisca.Evaluation.Scoring;

/// <summary>What a scorer has done.</summary>
/// <param name="Requests">Requests that were asked.</param>
/// <param name="DistinctRequests">Those of them that were computed.</param>
/// <param name="TruncatedContexts">Distinct requests that lost tokens at the beginning of their context,
/// because the model has too few positions.</param>
/// <param name="RequestTokens">Tokens of the distinct requests, each with its own context:
/// what scoring them one by one would pass through the model.</param>
/// <param name="ModelTokens">Tokens that passed through the model: a context that is shared counts once.</param>
/// <param name="PaddedTokens">The same with the padding of batches.</param>
/// <param name="PredictedTokens">Tokens whose probability was asked for.</param>
/// <param name="JoinedContinuations">Distinct requests whose continuation the tokenizer joined with the end of the context, so that the
/// harness's split leaves nothing to score: the joined token was scored.</param>
public readonly record struct ScoringCounts(
    long Requests,
    long DistinctRequests,
    long TruncatedContexts,
    long RequestTokens,
    long ModelTokens,
    long PaddedTokens,
    long PredictedTokens,
    long JoinedContinuations = 0);
