using System.Collections.Immutable;

namespace Wisca.Attention;

/// <summary>One role (query, key, value or output) of a layer's attention, resolved to the places of its heads.</summary>
/// <param name="Weight">The matrix's full name; fused roles share it.</param>
/// <param name="Bias">
/// The bias that follows the head channels, or null. An output projection has none here: its bias is added behind the exchange.
/// </param>
/// <param name="Axis">The axis of the head channels: 0 for rows, 1 for columns.</param>
/// <param name="Starts">For each head, the index of its first channel along the axis; its channels are consecutive.</param>
public sealed record Projection(string Weight, string? Bias, int Axis, ImmutableArray<int> Starts);
