using System.Collections.Immutable;

namespace Wisca.Torch.Optimizers;

/// <summary>Options of <see cref="Muon"/>.</summary>
public sealed record MuonOptions
{
    /// <summary>Decay of the momentum per step, in [0, 1). The default is 0.95.</summary>
    public double Momentum { get; init; } = 0.95;

    /// <summary>True, the default, to step along momentum times the average plus the rest times the gradient (Nesterov).</summary>
    public bool Nesterov { get; init; } = true;

    /// <summary>Newton-Schulz iterations; from 1. The default is 5.</summary>
    public int Iterations { get; init; } = 5;

    /// <summary>The size of a step. The default is <see cref="MuonScale.AdamWSize"/>.</summary>
    public MuonScale Scale { get; init; }

    /// <summary>Which matrices are output projections, which AdamW updates; the default knows the names of the decoders here.</summary>
    public ImmutableArray<string> HeadPatterns { get; init; } = ["*lm_head.weight", "*embed_out.weight"];

    /// <summary>
    /// AdamW for all other parameters: embeddings (by its <see cref="ParameterSettings.EmbeddingPatterns"/>), output projections, and what
    /// has not two dimensions. Its weight decay, groups and multipliers hold for Muon's parameters too.
    /// </summary>
    public AdamWOptions AdamW { get; init; } = new();

    internal void Check()
    {
        OptionCheck.Decay("momentum", Momentum);
        if (Iterations < 1) throw new WiscaException($"iterations is {Iterations}, expected a number from 1");
        AdamW.Check();
    }
}
