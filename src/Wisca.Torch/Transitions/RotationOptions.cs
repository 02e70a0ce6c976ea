using Wisca.Rotations;
namespace Wisca.Torch.Transitions;

/// <summary>Rotations in training: to which basis, when, and what becomes of gains and of the optimizer's state.</summary>
public sealed record RotationOptions
{
    /// <summary>What decides the basis.</summary>
    public RotationSource Source { get; init; } = RotationSource.Gradient;

    /// <summary>True to rotate the residual stream. True by default.</summary>
    public bool Stream { get; init; } = true;

    /// <summary>True to rotate the values of each kv head too.</summary>
    public bool Values { get; init; }

    /// <summary>True to rotate the ranks of each module of an adapter, between A and B.</summary>
    public bool Adapters { get; init; }

    /// <summary>What decides the basis of an adapter's ranks; null for <see cref="Source"/>.</summary>
    public RotationSource? AdapterSource { get; init; }

    /// <summary>True to leave embeddings and the output projection out of the covariance; they are rotated all the same.</summary>
    public bool InnerOnly { get; init; }

    /// <summary>What becomes of the gains of norms.</summary>
    public GainPolicy Gains { get; init; } = GainPolicy.Follow;

    /// <summary>What becomes of second moments.</summary>
    public SecondMomentPolicy State { get; init; } = SecondMomentPolicy.Keep;

    /// <summary>The number of steps between rotations.</summary>
    public long Every { get; init; } = 5;

    /// <summary>The first step that a rotation may follow.</summary>
    public long Start { get; init; } = 5;

    /// <summary>The last step that a rotation may follow; null for no end.</summary>
    public long? Until { get; init; }

    /// <summary>What random rotations depend on.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>How much of the average of gradients' covariances a step keeps, in [0, 1).</summary>
    public double Average { get; init; } = 0.95;

    /// <summary>How the basis is looked for.</summary>
    public BasisSearch Search { get; init; } = BasisSearch.Iteration;

    /// <summary>How far a rotation goes towards the basis, in (0, 1]; random rotations go all the way.</summary>
    public double Fraction { get; init; } = 1;

    /// <summary>What decides the basis of a kind of space.</summary>
    internal RotationSource SourceOf(RotationKind kind) => kind == RotationKind.LoraFactors ? AdapterSource ?? Source : Source;

    /// <summary>True where a rotation is due after so many steps.</summary>
    public bool IsDue(long step) => step >= Start && step <= (Until ?? long.MaxValue) && (step - Start) % Every == 0;
}
