namespace Wisca.Torch.Optimizers;

/// <summary>How large a step <see cref="Muon"/> makes along an orthogonal matrix of r rows and c columns.</summary>
public enum MuonScale
{
    /// <summary>0.2 * sqrt(max(r, c)): elements as large as AdamW's steps usually have,
    /// so that one learning rate serves both (Liu et al., 2025).</summary>
    AdamWSize,

    /// <summary>sqrt(max(1, r / c)): the spectral norm of a change of the output (Jordan, 2024).
    /// Learning rates are then Muon's own, about 0.02.</summary>
    Spectral,
}
