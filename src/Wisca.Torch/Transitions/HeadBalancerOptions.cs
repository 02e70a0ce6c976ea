namespace Wisca.Torch.Transitions;

/// <summary>When the two sides of each head are balanced by a matrix in training, and what becomes of second moments.</summary>
public sealed record HeadBalancerOptions
{
    /// <summary>The number of steps between two balancings.</summary>
    public long Every { get; init; } = 50;

    /// <summary>The last step that one may follow; null for no end.</summary>
    public long? Until { get; init; }

    /// <summary>
    /// What becomes of second moments; by default they are mixed by the squares of the matrix that momenta follow by, which stretches.
    /// </summary>
    public SecondMomentPolicy State { get; init; } = SecondMomentPolicy.Mix;

    /// <summary>The most that a matrix may stretch or shrink a direction relative to the others, as log2.</summary>
    public double MaxLog2 { get; init; } = 6;

    /// <summary>True where a balancing is due after so many steps.</summary>
    public bool IsDue(long step) => step > 0 && step <= (Until ?? long.MaxValue) && step % Every == 0;
}
