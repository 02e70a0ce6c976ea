using Wisca.Communication;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Training.Batches;

/// <summary>The mean negative log-likelihood of held-out text,
/// cut into windows side by side from its first token on: always the same ones.</summary>
internal sealed class HeldOutEvaluator : IHeldOutEvaluator
{
    private readonly HeldOutTokens _text;
    private readonly int _length, _sequences;
    private readonly long _windows;

    /// <param name="text">The held-out tokens; their file must stay open.</param>
    /// <param name="length">Tokens of a window.</param>
    /// <param name="sequences">Windows that go through the model together.</param>
    /// <param name="tokens">At most so many tokens; null for all.</param>
    public HeldOutEvaluator(HeldOutTokens text, int length, int sequences, long? tokens)
    {
        _text = text;
        _length = (int)Math.Min(length, text.Count - 1);
        if (_length < 1)
            throw new WiscaException(
                $"the {text.Name} text has {text.Count} tokens, expected at least two",
                "hold out more (data.held_out), or name more text of its own");
        _sequences = sequences;
        _windows = Math.Max(1, Math.Min((text.Count - 1) / _length, (tokens ?? long.MaxValue) / _length));
    }

    /// <summary>Number of tokens that are predicted.</summary>
    public long Tokens => _windows * _length;

    /// <summary>The mean negative log-likelihood in nats.</summary>
    public double Evaluate(Decoder model, ICommunicator communicator, CancellationToken cancellation)
    {
        using var ungraded = no_grad();
        double[] sums = new double[(_windows + _sequences - 1) / _sequences];
        for (long batch = communicator.Rank; batch < sums.Length; batch += communicator.Size)
        {
            long window = batch * _sequences;
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            int sequences = (int)Math.Min(_sequences, _windows - window);
            long[] ids = new long[(sequences * _length) + 1];
            _text.Read(window * _length, ids);
            var flat = tensor(ids, device: model.Device);
            var loss = model.Loss(
                flat.narrow(0, 0, ids.Length - 1).view(sequences, _length),
                flat.narrow(0, 1, ids.Length - 1).view(sequences, _length));
            sums[batch] = loss.Mean * loss.Targets;
        }

        // Each is zero on all ranks but one, and they are added up in one order: the bits are those of one process.
        communicator.Sum(sums);
        return sums.Aggregate(0.0, (sum, own) => sum + own) / Tokens;
    }
}
