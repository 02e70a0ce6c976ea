using System.Collections.Immutable;
using Wisca.Attention;

namespace Wisca.Evaluation.Flatness;

/// <summary>What is measured of a model, and how well.</summary>
public sealed record FlatnessOptions
{
    /// <summary>What is measured by default: what needs nothing but the model and a text.</summary>
    public static ImmutableArray<FlatnessMeasure> DefaultMeasures { get; } =
        [FlatnessMeasure.Eigenvalues, FlatnessMeasure.Trace, FlatnessMeasure.Sharpness, FlatnessMeasure.Gradients, FlatnessMeasure.Pairs];

    /// <summary>What is measured, in the order of <see cref="FlatnessMeasure"/>.</summary>
    public ImmutableArray<FlatnessMeasure> Measures { get; init; } = DefaultMeasures;

    /// <summary>The largest eigenvalues. The seed is <see cref="Seed"/>.</summary>
    public LanczosOptions Eigenvalues { get; init; } = new();

    /// <summary>The whole trace. The seed is <see cref="Seed"/>.</summary>
    public TraceOptions Trace { get; init; } = new();

    /// <summary>The traces of pairs, for each of their blocks. The seed is <see cref="Seed"/>.</summary>
    public TraceOptions Pairs { get; init; } = new() { MaxProbes = 8 };

    /// <summary>Radius of plain sharpness. 0.05 by default.</summary>
    public double Radius { get; init; } = 0.05;

    /// <summary>Radius of adaptive sharpness. 0.5 by default.</summary>
    public double AdaptiveRadius { get; init; } = 0.5;

    /// <summary>Steps of ascent besides the one-step sharpness; 1 for that alone. 1 by default.</summary>
    public int AscentSteps { get; init; } = 1;

    /// <summary>The steps eta down the gradient.</summary>
    public ImmutableArray<double> GradientSteps { get; init; } = [0.01, 0.1, 1];

    /// <summary>Dimensions of the slice.</summary>
    public int SliceDimensions { get; init; } = 1;

    /// <summary>Points along each direction of a slice, and between two checkpoints.</summary>
    public int Points { get; init; } = 21;

    /// <summary>How far a slice goes, in lengths of the filters.</summary>
    public double SliceRange { get; init; } = 1;

    /// <summary>Which exchange's orbit is walked.</summary>
    public TransitionKind OrbitKind { get; init; }

    /// <summary>In which layer.</summary>
    public int OrbitLayer { get; init; }

    /// <summary>With which kv head's factor; null for one factor for the layer.</summary>
    public int? OrbitKvHead { get; init; }

    /// <summary>The orbit's grid. The seed is <see cref="Seed"/>.</summary>
    public OrbitOptions Orbit { get; init; } = new();

    /// <summary>The seed of everything that is random.</summary>
    public ulong Seed { get; init; }
}
