using Wisca.Communication;
using Wisca.Torch.Models;

namespace Wisca.Training.Batches;

/// <summary>Measures a model on held-out data, always the same.</summary>
internal interface IHeldOutEvaluator
{
    /// <summary>Number of tokens that are predicted.</summary>
    long Tokens { get; }

    /// <summary>The mean negative log-likelihood in nats, to which each rank brings its share. The bits do not depend on their
    /// number.</summary>
    double Evaluate(Decoder model, ICommunicator communicator, CancellationToken cancellation);
}
