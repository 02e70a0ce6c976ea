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
    /// <returns>The mean negative log-likelihood of a target, and the mean of what joined it.</returns>
    public static (double Loss, double Auxiliary) Add(Decoder model, IReadOnlyList<TrainingBatch> batches)
    {
        long targets = batches.Sum(batch => batch.RealTargets);
        double loss = 0, auxiliary = 0;
        foreach (var batch in batches)
        {
            using var scope = NewDisposeScope();
            var result = Loss(model, batch);
            result.Total.Over(targets).backward();
            loss += result.Sum.AsDouble();
            if (result.Auxiliary is not null) auxiliary += result.Auxiliary.AsDouble() * result.Targets;
        }

        return (loss / targets, auxiliary / targets);
    }

    /// <summary>The loss of a batch; its tensors belong to the innermost dispose scope.</summary>
    public static DecoderLoss Loss(Decoder model, TrainingBatch batch)
    {
        long[] shape = [batch.Sequences, batch.Length];
        var branching = batch.Positions is null
            ? null
            : new Branching(tensor(batch.Positions, shape, device: model.Device), tensor(batch.Examples!, shape, device: model.Device));
        return model.Loss(tensor(batch.Ids, shape, device: model.Device), tensor(batch.Targets, shape, device: model.Device), branching);
    }
}
