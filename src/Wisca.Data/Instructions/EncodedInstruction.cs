namespace Wisca.Data.Instructions;

/// <summary>An example as tokens.</summary>
/// <param name="Ids">The tokens.</param>
/// <param name="Counts">For each token whether it is trained on: that of an answer, or the end of one. Never the first.</param>
public sealed record EncodedInstruction(int[] Ids, bool[] Counts)
{
    /// <summary>Number of tokens that are predicted and count.</summary>
    public int Targets { get; } = Counts.Count(counts => counts);

    /// <summary>Number of positions that the example takes: all tokens but the last, which is predicted only.</summary>
    public int Length => Ids.Length - 1;
}
