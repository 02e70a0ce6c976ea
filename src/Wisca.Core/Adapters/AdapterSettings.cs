using System.Collections.Immutable;

namespace Wisca.Adapters;

/// <summary>What a new LoRA adapter is made from.</summary>
public sealed record AdapterSettings
{
    /// <summary>Which projections it changes.</summary>
    public required TargetModules Targets { get; init; }

    /// <summary>Rank r. 8 by default.</summary>
    public int Rank { get; init; } = 8;

    /// <summary>Alpha: B A is multiplied by alpha / r. 16 by default.</summary>
    public double Alpha { get; init; } = 16;

    /// <summary>Other ranks for some modules: a pattern that the path's end must match, and the rank.
    /// The first that matches holds.</summary>
    public ImmutableArray<(string Pattern, int Rank)> Ranks { get; init; } = [];

    /// <summary>Other alphas for some modules, likewise.</summary>
    public ImmutableArray<(string Pattern, double Alpha)> Alphas { get; init; } = [];

    /// <summary>True for alpha / sqrt(r) (rsLoRA, Kalajdzievski, arXiv 2312.03732).</summary>
    public bool RankStabilized { get; init; }

    /// <summary>True to decompose into magnitude and direction (DoRA, Liu et al., arXiv 2402.09353).</summary>
    public bool Dora { get; init; }

    /// <summary>Share of the inputs of A that a step of training drops, in [0, 1).</summary>
    public double Dropout { get; init; }

    /// <summary>How the factors start.</summary>
    public LoraInitialization Initialization { get; init; }

    /// <summary>Modules that are trained whole and stored with the adapter: names, as in <see cref="TargetModules.Names"/>.</summary>
    public ImmutableArray<string> SavedModules { get; init; } = [];

    /// <summary>Layers to which names are confined; empty for all.</summary>
    public ImmutableArray<int> Layers { get; init; } = [];

    /// <summary>The name of the base, for the record.</summary>
    public string? BaseName { get; init; }
}
