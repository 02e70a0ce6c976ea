using System.Collections.Immutable;

namespace Wisca.Evaluation.Flatness;

/// <summary>
/// Whether a quantity stays as it is when a model is replaced by an equivalent one. A quantity that does not can be made large or small
/// without changing the function (Dinh et al., ICML 2017): it tells about training from this point, and not about the function.
/// </summary>
/// <param name="Measure">What it belongs to; null for the loss itself.</param>
/// <param name="Quantity">The quantity.</param>
/// <param name="Invariant">True where no exchange of any granularity changes it.</param>
/// <param name="Reason">Why, or how it moves.</param>
public sealed record Invariance(FlatnessMeasure? Measure, string Quantity, bool Invariant, string Reason)
{
    /// <summary>All that is known of what is measured here.</summary>
    public static ImmutableArray<Invariance> All { get; } =
    [
        new(null, "loss", true, "the function is the same"),
        new(FlatnessMeasure.Eigenvalues, "largest eigenvalues", false, "the Hessian becomes D^-1 H D^-1"),
        new(FlatnessMeasure.Trace, "trace", false, "a / s^2 + b s^2 + the rest"),
        new(FlatnessMeasure.Sharpness, "plain sharpness (SAM)", false, "the ball is round in weights that are scaled"),
        new(FlatnessMeasure.Sharpness, "adaptive sharpness (ASAM)", true, "the ball is scaled with each weight"),
        new(FlatnessMeasure.Gradients, "cosine of gradients", false, "gradients become g_1 / s and s g_2"),
        new(FlatnessMeasure.Pairs, "a, b and the flattest s", false, "a / s^2, b s^2 and s* / s"),
        new(
            FlatnessMeasure.Pairs, "least trace of a pair, 2 sqrt(a b)", true,
            "the factor cancels in the product, at the granularity it is measured at"),
        new(
            FlatnessMeasure.Slice, "loss along filter-normalised directions", false,
            "invariant for qk and for vo per tensor; finer vo scales single columns of W_o, whose filters are rows"),
        new(FlatnessMeasure.Between, "loss between two checkpoints", false, "unless both are scaled by the same factors"),
        new(FlatnessMeasure.Orbit, "loss along the orbit", true, "checked at every point"),
        new(
            FlatnessMeasure.Orbit, "trace and largest eigenvalue along the orbit", false,
            "that they move although the function does not is what the orbit shows"),
    ];
}
