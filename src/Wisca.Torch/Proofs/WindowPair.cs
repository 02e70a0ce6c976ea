using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Torch.Proofs;

/// <summary>
/// A and B on one window. Only the hidden states of both models are whole; the logits, which are as many times wider as the vocabulary
/// is, come a few positions at a time.
/// </summary>
internal sealed class WindowPair : IDisposable
{
    // Logits compared at a time; they are then held in float64, several times.
    private const int ComparedLogits = 1 << 22;

    private readonly Decoder _modelA, _modelB;
    private readonly Tensor _ids, _input, _hiddenA, _hiddenB;
    private readonly CancellationToken _cancellation;
    private readonly int _count, _rows;

    /// <summary>Runs both up to the hidden states.</summary>
    /// <param name="modelA">A.</param>
    /// <param name="modelB">B.</param>
    /// <param name="tokens">The window, and the token behind it where there is one.</param>
    /// <param name="count">Number of tokens in the window.</param>
    /// <param name="cancellation">Stops it.</param>
    public WindowPair(Decoder modelA, Decoder modelB, long[] tokens, int count, CancellationToken cancellation)
    {
        (_modelA, _modelB, _count, _cancellation) = (modelA, modelB, count, cancellation);
        _rows = Math.Max(1, ComparedLogits / modelA.Config.VocabularySize);
        _ids = tensor(tokens);
        _input = _ids.narrow(0, 0, count).unsqueeze(0);
        _hiddenA = modelA.Hidden(_input, cancellation);
        _hiddenB = modelB.Hidden(_input, cancellation);
    }

    /// <summary>Compares every logit.</summary>
    /// <returns>For each position, the mean square over the vocabulary of the difference.</returns>
    public double[] Compare(LogitComparison comparison)
    {
        double[] squares = new double[_count];
        foreach (var (begin, length) in Pieces(_count))
        {
            using var step = NewDisposeScope();
            Tensor logitsA = Logits(_modelA, _hiddenA, begin, length), logitsB = Logits(_modelB, _hiddenB, begin, length);
            int targets = Math.Min(length, (int)_ids.shape[0] - 1 - begin);
            comparison.Add(logitsA, logitsB, _ids.narrow(0, begin + 1, targets)).CopyTo(squares, begin);
        }

        return squares;
    }

    /// <summary>What moving B's weights does to its logits at the window's first positions; B is then as it was.</summary>
    /// <param name="rounding">What moves them.</param>
    /// <param name="draws">How often.</param>
    /// <param name="positions">The most positions to look at.</param>
    /// <returns>For each position, the mean square over vocabulary and draws of a logit's change.</returns>
    public double[] Noise(WeightRounding rounding, int draws, int positions)
    {
        positions = Math.Min(positions, _count);
        double[] squares = new double[positions];
        for (int draw = 0; draw < draws; draw++)
        {
            using var scope = NewDisposeScope();
            rounding.Move(draw);
            var moved = _modelB.Hidden(_input.narrow(1, 0, positions), _cancellation);
            rounding.Restore();
            foreach (var (begin, length) in Pieces(positions))
            {
                using var step = NewDisposeScope();
                var logits = Logits(_modelB, _hiddenB, begin, length).to(ScalarType.Float64);
                rounding.Move(draw, headOnly: true);
                var others = Logits(_modelB, moved, begin, length).to(ScalarType.Float64);
                rounding.Restore(headOnly: true);
                var means = (logits - others).Squared().mean([-1L]).data<double>();
                for (int i = 0; i < length; i++) squares[begin + i] += means[i] / draws;
            }
        }

        return squares;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var tensor in (Tensor[])[_hiddenA, _hiddenB, _input, _ids]) tensor.Dispose();
    }

    private IEnumerable<(int Begin, int Length)> Pieces(int count)
    {
        for (int begin = 0; begin < count; begin += _rows)
        {
            _cancellation.ThrowIfCancellationRequested();
            yield return (begin, Math.Min(_rows, count - begin));
        }
    }

    private static Tensor Logits(Decoder model, Tensor hidden, int begin, int length) =>
        model.Logits(hidden.narrow(1, begin, length)).squeeze(0);
}
