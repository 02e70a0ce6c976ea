using Wisca.Certificates;
using static TorchSharp.torch;

namespace Wisca.Torch.Proofs;

/// <summary>Collects what two models' logits have in common, in float64.</summary>
/// <param name="routed">True where a router picks experts, so that a share of the positions is not judged.</param>
internal sealed class LogitComparison(bool routed)
{
    // Squares of difference over noise, of positions with noise of their own and of the others.
    private readonly List<double> _measured = [], _later = [];

    private double _maxDifference, _maxLogit, _divergence, _lossA, _lossB, _loudest, _difference, _noise;
    private long _positions, _nonFiniteA, _nonFiniteB;
    private int _predictions;
    private bool _hasNoise;

    /// <summary>True while every logit of B has the bits of A's.</summary>
    public bool Identical { get; private set; } = true;

    /// <summary>True while every logit is a number.</summary>
    public bool Finite => _nonFiniteA + _nonFiniteB == 0;

    /// <summary>Adds some positions.</summary>
    /// <param name="logitsA">A's logits, [positions, vocabulary].</param>
    /// <param name="logitsB">B's logits, likewise.</param>
    /// <param name="targets">The next token of the first positions, of all or of all but the last.</param>
    /// <returns>For each position, the mean square over the vocabulary of the difference.</returns>
    public double[] Add(Tensor logitsA, Tensor logitsB, Tensor targets)
    {
        using var scope = NewDisposeScope();
        Identical &= logitsA.dtype == logitsB.dtype && logitsA.contiguous().bytes.SequenceEqual(logitsB.contiguous().bytes);
        Tensor a = logitsA.to(ScalarType.Float64), b = logitsB.to(ScalarType.Float64);
        _nonFiniteA += a.numel() - a.isfinite().sum().AsInt64();
        _nonFiniteB += b.numel() - b.isfinite().sum().AsInt64();
        var difference = a - b;
        _maxDifference = Math.Max(_maxDifference, difference.abs().max().AsDouble());
        _maxLogit = Math.Max(_maxLogit, a.abs().max().AsDouble());

        Tensor logA = a.log_softmax(-1), logB = b.log_softmax(-1);
        _divergence += (logA.exp() * (logA - logB)).sum().AsDouble();
        _positions += a.shape[0];
        int predicted = (int)targets.shape[0];
        double[] squares = difference.Squared().mean([-1L]).data<double>().ToArray();
        if (predicted == 0) return squares;
        _lossA -= Likelihood(logA);
        _lossB -= Likelihood(logB);
        _predictions += predicted;
        return squares;

        double Likelihood(Tensor log) => log.narrow(0, 0, predicted).gather(1, targets.unsqueeze(1)).sum().AsDouble();
    }

    /// <summary>Takes in what the rounding of weights does at the first positions that differ.</summary>
    /// <param name="differences">For each position, the mean square over the vocabulary of the difference of logits.</param>
    /// <param name="noise">Likewise of a logit's change by rounding; there may be fewer of these.</param>
    public void AddNoise(ReadOnlySpan<double> differences, ReadOnlySpan<double> noise)
    {
        double difference = 0, sum = 0;
        for (int i = 0; i < noise.Length; i++)
        {
            difference += differences[i];
            sum += noise[i];
            _loudest = Math.Max(_loudest, noise[i]);
            if (differences[i] != 0 || noise[i] != 0) _measured.Add(differences[i] / noise[i]);
        }

        (_difference, _noise) = (Math.Sqrt(difference / noise.Length), Math.Sqrt(sum / noise.Length));
        _hasNoise = true;
        AddLater(differences[noise.Length..]);
    }

    /// <summary>Takes in positions that have no noise of their own to be held against: the largest has to do.</summary>
    /// <param name="differences">For each, the mean square over the vocabulary of the difference of logits.</param>
    public void AddLater(ReadOnlySpan<double> differences)
    {
        foreach (double difference in differences) _later.Add(difference > 0 ? difference / _loudest : 0);
    }

    /// <summary>What is left of the positions without those that a router may have tipped over.</summary>
    private RoundingNoise Rounding()
    {
        int positions = _measured.Count + _later.Count, spared = 0;
        double limit = double.PositiveInfinity;
        if (routed && positions > 1)
        {
            spared = Math.Max(1, (int)(RoundingNoise.SparedShare * positions));
            limit = _measured.Concat(_later).OrderDescending().ElementAt(spared);
        }

        const double allowed = RoundingNoise.AllowedWorst * RoundingNoise.AllowedWorst;
        int beyond = _measured.Concat(_later).Count(ratio => ratio > allowed);
        double[] judged = [.. _measured.Where(ratio => ratio <= limit)];
        return new RoundingNoise(
            _difference,
            _noise,
            judged.Length == 0 ? 0 : Math.Sqrt(judged.Average()),
            Math.Sqrt(judged.Concat(_later.Where(ratio => ratio <= limit)).DefaultIfEmpty(0).Max()))
        {
            Positions = positions,
            Spared = spared,
            Beyond = beyond,
        };
    }

    /// <summary>What came out.</summary>
    /// <param name="tokens">Number of tokens.</param>
    /// <param name="precision">What was computed in.</param>
    public ForwardProofReport ToReport(int tokens, string precision) => new(
        tokens,
        _predictions,
        _maxDifference,
        _maxLogit,
        Math.Max(0, _divergence / _positions), // never negative, but between all but equal models its sum may round below zero
        Math.Exp(_lossA / _predictions),
        Math.Exp(_lossB / _predictions),
        Identical,
        _nonFiniteA,
        _nonFiniteB,
        Finite && _hasNoise ? Rounding() : null,
        precision);
}
