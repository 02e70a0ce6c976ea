namespace Wisca.Certificates;

/// <summary>The indices along an axis of a tensor that an exchange may scale.</summary>
/// <param name="Axis">0 for rows, 1 for columns; a stack of matrices counts as one below the other.</param>
/// <param name="Parts">Number of matrices of a stack of which each has columns of its own, numbered through; 1 for none.</param>
/// <param name="Indices">The indices.</param>
internal sealed record FreeIndices(int Axis, int Parts, HashSet<int> Indices);
