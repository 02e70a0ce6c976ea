using Wisca.Communication;
using Wisca.Torch;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Training.Batches;

/// <summary>The gradients of several batches as if they were one: every target counts the same, whichever batch it is in.</summary>
internal static class BatchGradients
{
    /// <summary>
    /// Adds the gradients of the mean loss over all targets of all batches. What keeps a mixture's experts in use is computed in each batch
    /// for itself and weighted by its targets.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="batches">The batches, whole.</param>
    /// <param name="shared">Adds up the gradients of the ranks that have a share of each batch; null where this process has all.</param>
    /// <returns>The mean negative log-likelihood of a target, and the mean of what joined it.</returns>
    public static (double Loss, double Auxiliary) Add(
        Decoder model, IReadOnlyList<TrainingBatch> batches, SharedGradients? shared = null)
    {
        long targets = batches.Sum(batch => batch.RealTargets);
        double[] sums = [0, 0];
        for (int index = 0; index < batches.Count; index++)
        {
            using var scope = NewDisposeScope();
            var result = shared is null
                ? Loss(model, batches[index])
                : Loss(model, shared.ShareOf(batches[index]), new BatchPart(shared.Communicator, batches[index].RealTargets));
            result.Total.Over(targets).backward();
            sums[0] += result.Sum.AsDouble();
            if (result.Auxiliary is not null) sums[1] += result.Auxiliary.AsDouble() * result.BalancedTargets;
        }

        shared?.Buckets.AddUp();
        shared?.Communicator.Sum(sums);
        return (sums[0] / targets, sums[1] / targets);
    }

    /// <summary>The loss of a batch; its tensors belong to the innermost dispose scope.</summary>
    public static DecoderLoss Loss(Decoder model, TrainingBatch batch, BatchPart? part = null)
    {
        long[] shape = [batch.Sequences, batch.Length];
        var branching = batch.Positions is null
            ? null
            : new Branching(tensor(batch.Positions, shape, device: model.Device), tensor(batch.Examples!, shape, device: model.Device));
        return model.PartialLoss(
            tensor(batch.Ids, shape, device: model.Device), tensor(batch.Targets, shape, device: model.Device), branching, part);
    }
}
