namespace Wisca.Evaluation.Scoring;

/// <summary>A row of a batch: a context, and the continuations that are scored behind it.</summary>
internal sealed class ScoringRow : IComparable<ScoringRow>
{
    /// <summary>Creates a row.</summary>
    /// <param name="context">The context.</param>
    /// <param name="branches">What is scored behind it.</param>
    /// <param name="beyond">How many of the model's limits its sequences are longer than.</param>
    public ScoringRow(int[] context, IReadOnlyList<Branch> branches, int beyond = 0)
    {
        Beyond = beyond;
        Context = context;
        Branches = branches;
        Length = context.Length + branches.Sum(branch => branch.Fed);
        Forks = branches.Count(branch => branch.Fed > 0) > 1;
    }

    public int[] Context { get; }

    public IReadOnlyList<Branch> Branches { get; }

    /// <summary>
    /// How many of the lengths from which the model rotates all positions otherwise its sequences are beyond. What is computed together
    /// rotates alike, so that it is beyond as many.
    /// </summary>
    public int Beyond { get; }

    /// <summary>Number of tokens.</summary>
    public int Length { get; }

    /// <summary>Whether tokens must not see all before them.
    /// One-token continuations are predicted by the context's last token and add none of their own.</summary>
    public bool Forks { get; }

    /// <summary>An order by content alone, so that batches do not depend on the order of the requests: longest first.</summary>
    public int CompareTo(ScoringRow? other)
    {
        int order = other!.Forks.CompareTo(Forks);
        if (order == 0) order = other.Beyond.CompareTo(Beyond);
        if (order == 0) order = other.Length.CompareTo(Length);
        if (order == 0) order = Context.AsSpan().SequenceCompareTo(other.Context);
        for (int i = 0; order == 0 && i < Math.Min(Branches.Count, other.Branches.Count); i++)
            order = Branches[i].CompareTo(other.Branches[i]);
        return order == 0 ? Branches.Count.CompareTo(other.Branches.Count) : order;
    }

    /// <summary>A continuation, and where its answer goes.</summary>
    internal sealed record Branch(int[] Continuation, IReadOnlyList<int> Places) : IComparable<Branch>
    {
        /// <summary>Tokens that go into the model: the last one is only predicted.</summary>
        public int Fed => Continuation.Length - 1;

        public int CompareTo(Branch? other)
        {
            int order = other!.Continuation.Length.CompareTo(Continuation.Length);
            return order == 0 ? Continuation.AsSpan().SequenceCompareTo(other.Continuation) : order;
        }
    }
}
