using System.Collections.Immutable;
using Wisca.Architectures;

namespace Wisca.Inspection;

/// <summary>What <c>wisca inspect</c> shows.</summary>
/// <param name="Layout">The model, resolved.</param>
/// <param name="Layers">Every layer's norms and what is exact there.</param>
public sealed record ModelInspection(ModelLayout Layout, ImmutableArray<LayerInspection> Layers);
