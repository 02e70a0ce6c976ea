using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>
/// The loss of one batch. Sums and not means, so that batches with different numbers of targets add up: the loss of several batches is
/// the sum of their <see cref="Total"/> over the sum of their <see cref="Targets"/>.
/// </summary>
public sealed class DecoderLoss : IDisposable
{
    internal DecoderLoss(Tensor sum, long targets, Tensor? auxiliary, long balancedTargets)
    {
        Sum = sum;
        Targets = targets;
        Auxiliary = auxiliary;
        BalancedTargets = balancedTargets;
        Total = auxiliary is null ? sum : sum.Plus(auxiliary.Times(balancedTargets));
    }

    /// <summary>The negative log-likelihood of the targets in nats, summed; float32, or float64 in a model that computes in that.</summary>
    public Tensor Sum { get; }

    /// <summary>Number of targets that count.</summary>
    public long Targets { get; }

    /// <summary>
    /// What joins the mean loss of a mixture of experts to keep its experts in use: <see cref="MixtureConfig.BalanceWeight"/> times
    /// the load-balancing loss. Null for other models, and where the weight is 0.
    /// </summary>
    public Tensor? Auxiliary { get; }

    /// <summary>Number of targets that <see cref="Auxiliary"/> is weighted by: those of the whole batch, where this is the loss of a part
    /// of it.</summary>
    public long BalancedTargets { get; }

    /// <summary><see cref="Sum"/> + <see cref="BalancedTargets"/> x <see cref="Auxiliary"/>: what to differentiate.</summary>
    public Tensor Total { get; }

    /// <summary>Sum / Targets: the mean negative log-likelihood, not a number where nothing counts.</summary>
    public double Mean => Sum.AsDouble() / Targets;

    /// <summary>Takes the tensors out of the innermost dispose scope.</summary>
    internal void Keep()
    {
        Sum.MoveToOuterDisposeScope();
        Auxiliary?.MoveToOuterDisposeScope();
        if (!ReferenceEquals(Total, Sum)) Total.MoveToOuterDisposeScope();
    }

    /// <inheritdoc />
    public void Dispose()
    {
        Sum.Dispose();
        Auxiliary?.Dispose();
        Total.Dispose();
    }
}
