namespace Wisca.Training;

/// <summary>Sequences that go through the model together.</summary>
/// <param name="Ids">Token ids [Sequences x Length], row by row.</param>
/// <param name="Targets">For each id the one to predict, or -100 where none counts.</param>
/// <param name="Sequences">Number of sequences.</param>
public sealed record TrainingBatch(long[] Ids, long[] Targets, int Sequences)
{
    /// <summary>Number of targets that count.</summary>
    public long RealTargets { get; } = Targets.LongCount(target => target != Models.Decoder.IgnoredTarget);

    /// <summary>Tokens of a sequence.</summary>
    public int Length => Ids.Length / Sequences;
}
