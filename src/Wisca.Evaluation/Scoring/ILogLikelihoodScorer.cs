namespace Wisca.Evaluation.Scoring;

/// <summary>What answers requests: a model, or something made for a test.</summary>
public interface ILogLikelihoodScorer
{
    /// <summary>Answers requests, each in its own place.</summary>
    /// <param name="requests">The requests, in any order; equal ones are computed once.</param>
    /// <param name="progress">Told how many are done.</param>
    /// <param name="cancellation">Looked at between batches.</param>
    LogLikelihood[] Score(
        IReadOnlyList<LogLikelihoodRequest> requests, IProgress<int>? progress = null, CancellationToken cancellation = default);
}
