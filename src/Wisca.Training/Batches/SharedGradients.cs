using Wisca.Communication;
using Wisca.Torch.Ranks;

namespace Wisca.Training.Batches;

/// <summary>Ranks of which each has a share of every batch.</summary>
/// <param name="Communicator">The ranks.</param>
/// <param name="Buckets">Adds up their gradients.</param>
internal sealed record SharedGradients(ICommunicator Communicator, GradientBuckets Buckets) : IDisposable
{
    /// <summary>This rank's sequences of a batch.</summary>
    public TrainingBatch ShareOf(TrainingBatch batch)
    {
        var (begin, count) = Communicator.ShareOf(batch.Sequences);
        return batch.Rows(begin, count);
    }

    public void Dispose() => Buckets.Dispose();
}
