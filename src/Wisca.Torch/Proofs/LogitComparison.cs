using static TorchSharp.torch;

namespace Wisca.Torch.Proofs;

/// <summary>Collects what two models' logits have in common, in float64.</summary>
internal sealed class LogitComparison
{
    private double _maxDifference, _maxLogit, _divergence, _lossA, _lossB;
    private long _positions, _nonFiniteA, _nonFiniteB;
    private int _predictions;
    private bool _identical = true;

    /// <summary>Adds some positions.</summary>
    /// <param name="logitsA">A's logits, [positions, vocabulary].</param>
    /// <param name="logitsB">B's logits, likewise.</param>
    /// <param name="targets">The next token of the first positions, of all or of all but the last.</param>
    public void Add(Tensor logitsA, Tensor logitsB, Tensor targets)
    {
        using var scope = NewDisposeScope();
        _identical &= logitsA.dtype == logitsB.dtype && logitsA.contiguous().bytes.SequenceEqual(logitsB.contiguous().bytes);
        Tensor a = logitsA.to(ScalarType.Float64), b = logitsB.to(ScalarType.Float64);
        _nonFiniteA += a.numel() - a.isfinite().sum().AsInt64();
        _nonFiniteB += b.numel() - b.isfinite().sum().AsInt64();
        _maxDifference = Math.Max(_maxDifference, (a - b).abs().max().AsDouble());
        _maxLogit = Math.Max(_maxLogit, a.abs().max().AsDouble());

        Tensor logA = a.log_softmax(-1), logB = b.log_softmax(-1);
        _divergence += (logA.exp() * (logA - logB)).sum().AsDouble();
        _positions += a.shape[0];
        int predicted = (int)targets.shape[0];
        if (predicted == 0) return;
        _lossA -= Likelihood(logA);
        _lossB -= Likelihood(logB);
        _predictions += predicted;

        double Likelihood(Tensor log) => log.narrow(0, 0, predicted).gather(1, targets.unsqueeze(1)).sum().AsDouble();
    }

    public ForwardProofReport ToReport(int tokens, double relativeTolerance) => new(
        tokens,
        _predictions,
        _maxDifference,
        _maxLogit,
        Math.Max(0, _divergence / _positions), // never negative, but between all but equal models its sum may round below zero
        Math.Exp(_lossA / _predictions),
        Math.Exp(_lossB / _predictions),
        _identical,
        relativeTolerance,
        _nonFiniteA,
        _nonFiniteB);
}
