using System.Collections.Immutable;

namespace Wisca.Evaluation.Flatness;

/// <summary>What was measured; null or empty where it was not asked for.</summary>
public sealed record FlatnessReport
{
    /// <summary>Number of parameters.</summary>
    public required long Parameters { get; init; }

    /// <summary>Number of tokens that the loss is a mean over.</summary>
    public required long Tokens { get; init; }

    /// <summary>Tokens of a window.</summary>
    public required int SequenceLength { get; init; }

    /// <summary>The seed.</summary>
    public required ulong Seed { get; init; }

    /// <summary>The mean loss in nats.</summary>
    public required double Loss { get; init; }

    /// <summary>The norm of its gradient.</summary>
    public required double GradientNorm { get; init; }

    /// <summary>The largest eigenvalues.</summary>
    public SpectrumEstimate? Eigenvalues { get; init; }

    /// <summary>The trace.</summary>
    public ModelTrace? Trace { get; init; }

    /// <summary>Plain and adaptive sharpness.</summary>
    public ImmutableArray<SharpnessEstimate> Sharpness { get; init; } = [];

    /// <summary>The paper's quantity.</summary>
    public ImmutableArray<GradientTurn> Gradients { get; init; } = [];

    /// <summary>The pairs of all layers.</summary>
    public ImmutableArray<PairCurvature> Pairs { get; init; } = [];

    /// <summary>Why some pairs are not among them.</summary>
    public ImmutableArray<string> Refusals { get; init; } = [];

    /// <summary>The loss along lines and planes.</summary>
    public ImmutableArray<LossCurve> Curves { get; init; } = [];

    /// <summary>The orbit.</summary>
    public OrbitReport? Orbit { get; init; }

    /// <summary>Which of the quantities are invariant.</summary>
    public required ImmutableArray<Invariance> Invariances { get; init; }
}
