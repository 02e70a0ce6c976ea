using System.Collections.Immutable;

namespace Wisca.Certificates;

/// <summary>Whether two checkpoints are the same function, as far as their weights tell.</summary>
/// <param name="Layers">Every layer's attention; empty where the residual stream is turned, since W_q, W_k, W_v and W_o are then
/// held against what the rotation makes of them, element by element.</param>
/// <param name="Differences">
/// What must be equal and is not: configuration keys, missing tensors, element types, shapes, bytes outside the slices that an exchange
/// may scale, and inside them elements that are not their channel's multiple, or multiples that do not cancel.
/// </param>
/// <param name="ChangedTensors">Number of tensors whose bytes differ, rightly or not.</param>
/// <param name="ExpectedExact">True where the ledgers say that only powers of two lie between the two,
/// so that every error must be 0.</param>
public sealed record CertificateReport(
    ImmutableArray<LayerCertificate> Layers, ImmutableArray<string> Differences, int ChangedTensors, bool ExpectedExact)
{
    /// <summary>The norms and MLPs through which factors other than 1 pass, by their names in the model; sorted.</summary>
    public ImmutableArray<string> Scaled { get; init; } = [];

    /// <summary>What turns the one into the other; null where only exchanges do.</summary>
    public RotationCertificate? Rotation { get; init; }

    /// <summary>True where nothing differs that must not.</summary>
    public bool Equivalent => Differences.IsEmpty && Layers.All(layer => layer.Holds);

    /// <summary>The largest error of a q.k form over all layers; NaN where one is.</summary>
    public double QueryKeyError => Layers.Aggregate(0.0, (worst, layer) => Math.Max(worst, layer.QueryKeyError ?? 0));

    /// <summary>The largest error of a V-O map over all layers; NaN where one is.</summary>
    public double ValueOutputError => Layers.Aggregate(0.0, (worst, layer) => Math.Max(worst, layer.ValueOutputError ?? 0));
}
