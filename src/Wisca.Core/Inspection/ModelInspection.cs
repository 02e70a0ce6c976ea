using System.Collections.Immutable;
using Wisca.Architectures;

namespace Wisca.Inspection;

/// <summary>What <c>wisca inspect</c> shows.</summary>
/// <param name="Layout">The model, resolved.</param>
/// <param name="Layers">Every layer's norms and what is exact there.</param>
public sealed record ModelInspection(ModelLayout Layout, ImmutableArray<LayerInspection> Layers)
{
    /// <summary>What is exact of norms outside of the layers: of the last one.</summary>
    public TransitionFinding? LastNorm { get; init; }
}
