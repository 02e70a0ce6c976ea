using Wisca.Transitions;

namespace Wisca.Library.Documents;

/// <summary>Scaling transitions, in the words of the command line. What is not said is as there, but for what is a preset's.</summary>
internal sealed record TransitionRequest
{
    /// <summary>Strategies joined with +; null where granularities are given one by one.</summary>
    public string? Preset { get; init; }

    /// <summary>Granularity of queries and keys; null for none.</summary>
    public string? Qk { get; init; }

    /// <summary>Granularity of values and output; null for none.</summary>
    public string? Vo { get; init; }

    /// <summary>Granularity of MLPs; null for none.</summary>
    public string? Mlp { get; init; }

    /// <summary>Granularity of norms; null for none.</summary>
    public string? Norms { get; init; }

    /// <summary>True for all that is exact.</summary>
    public bool All { get; init; }

    /// <summary>The layers; null for all.</summary>
    public string? Layers { get; init; }

    /// <summary>The norm to make equal.</summary>
    public string? Criterion { get; init; }

    /// <summary>How factors are rounded.</summary>
    public string? Rounding { get; init; }

    /// <summary>The clamp.</summary>
    public double? MaxLog2 { get; init; }

    /// <summary>How far beyond a half a power of two must be.</summary>
    public double? Hysteresis { get; init; }

    /// <summary>As the core knows them.</summary>
    /// <exception cref="RequestException">A word is not known, or two contradict each other.</exception>
    public TransitionOptions ToOptions()
    {
        if (Preset is not null && (Qk ?? Vo) is not null)
            throw new RequestException("transitions: preset and qk or vo are given together, expected one of the two");
        if (All && (Preset ?? Qk ?? Vo ?? Mlp ?? Norms) is not null)
            throw new RequestException("transitions: all and another choice are given together, expected one of the two");
        TransitionPreset? preset = null;
        if (Preset is not null && !TransitionPreset.TryParse(Preset, out preset, out string? mistake))
            throw new RequestException($"transitions: {mistake}");
        var options = new TransitionOptions
        {
            QueryKey = preset?.QueryKey ?? Of("qk", Qk),
            ValueOutput = preset?.ValueOutput ?? Of("vo", Vo),
            Mlp = Of("mlp", Mlp),
            Norms = Of("norms", Norms),
            Layers = Layers is null ? LayerRange.All : new LayerRange(Layers) { Key = "transitions.layers" },
            Balance = new BalanceOptions(
                Words.Parse("transitions.criterion", Criterion, Transitions.Criterion.L1),
                Words.Parse("transitions.rounding", Rounding, FactorRounding.Auto),
                InRange("max_log2", MaxLog2 ?? 6, 0.01, 64),
                InRange("hysteresis", Hysteresis ?? 0, 0, 1)),
        };
        return All ? options.WithAll() : options;
    }

    private static Granularity? Of(string key, string? word) =>
        word is null or "none" ? null : Words.Parse($"transitions.{key}", word, default(Granularity));

    private static double InRange(string key, double value, double least, double most) =>
        value >= least && value <= most
            ? value
            : throw new RequestException(FormattableString.Invariant($"transitions.{key} is {value}, expected {least} to {most}"));
}
