using Wisca.Torch.Models;

namespace Wisca.Training.Batches;

/// <summary>Sequences that go through the model together.</summary>
/// <param name="Ids">Token ids [Sequences x Length], row by row.</param>
/// <param name="Targets">For each id the one to predict, or -100 where none counts.</param>
/// <param name="Sequences">Number of sequences.</param>
internal sealed record TrainingBatch(long[] Ids, long[] Targets, int Sequences)
{
    /// <summary>Number of targets that count.</summary>
    public long RealTargets { get; } = Targets.LongCount(target => target != Decoder.IgnoredTarget);

    /// <summary>For rows that hold several examples, the place of each token in its own; null where each row is one sequence.</summary>
    public long[]? Positions { get; init; }

    /// <summary>For rows that hold several examples, which of them each token belongs to, counted from 1: tokens of one do not see those of
    /// another. Null where each row is one sequence.</summary>
    public long[]? Examples { get; init; }

    /// <summary>Tokens of a sequence.</summary>
    public int Length => Ids.Length / Sequences;

    /// <summary>Some of its sequences, as long as they are here.</summary>
    /// <param name="begin">The first.</param>
    /// <param name="count">How many; at least one.</param>
    public TrainingBatch Rows(int begin, int count)
    {
        return new TrainingBatch(Of(Ids), Of(Targets), count)
        {
            Positions = Positions is null ? null : Of(Positions),
            Examples = Examples is null ? null : Of(Examples),
        };

        long[] Of(long[] values) => values.AsSpan(begin * Length, count * Length).ToArray();
    }
}
