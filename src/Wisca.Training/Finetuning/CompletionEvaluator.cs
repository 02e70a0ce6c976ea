using Wisca.Communication;
using Wisca.Data.Instructions;
using Wisca.Torch;
using Wisca.Torch.Models;
using Wisca.Training.Batches;
using static TorchSharp.torch;

namespace Wisca.Training.Finetuning;

/// <summary>The mean negative log-likelihood of the answers' tokens of held-out examples.
/// Each has a row of its own, beside others of its length.</summary>
internal sealed class CompletionEvaluator : IHeldOutEvaluator
{
    private readonly IReadOnlyList<EncodedInstruction> _examples;
    private readonly int _sequences;

    /// <param name="examples">The examples; at least one.</param>
    /// <param name="sequences">Examples that go through the model together.</param>
    /// <param name="tokens">As many of the first as have this many tokens that count; null for all.</param>
    public CompletionEvaluator(IReadOnlyList<EncodedInstruction> examples, int sequences, long? tokens)
    {
        _sequences = sequences;
        var taken = new List<EncodedInstruction>();
        foreach (var example in examples)
        {
            if (taken.Count > 0 && Tokens + example.Targets > (tokens ?? long.MaxValue)) break;
            taken.Add(example);
            Tokens += example.Targets;
        }

        _examples = [.. taken.OrderBy(example => example.Length)];
    }

    public long Tokens { get; }

    public double Evaluate(Decoder model, ICommunicator communicator, CancellationToken cancellation)
    {
        using var ungraded = no_grad();
        double[] sums = new double[(_examples.Count + _sequences - 1) / _sequences];
        foreach (var (index, chunk) in _examples.Chunk(_sequences).Index())
        {
            if (index % communicator.Size != communicator.Rank) continue;
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            sums[index] = BatchGradients
                .Loss(model, InstructionBatches.Lay([.. chunk.Select(example => (IReadOnlyList<EncodedInstruction>)[example])]))
                .Sum.AsDouble();
        }

        communicator.Sum(sums);
        return sums.Aggregate(0.0, (sum, own) => sum + own) / Tokens;
    }
}
