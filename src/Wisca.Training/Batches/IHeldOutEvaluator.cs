using Wisca.Torch.Models;

namespace Wisca.Training.Batches;

/// <summary>Measures a model on held-out data, always the same.</summary>
internal interface IHeldOutEvaluator
{
    /// <summary>Number of tokens that are predicted.</summary>
    long Tokens { get; }

    /// <summary>The mean negative log-likelihood in nats.</summary>
    double Evaluate(Decoder model, CancellationToken cancellation);
}
