namespace Wisca.Comparison.Results;

/// <summary>A number of one layer over time.</summary>
/// <param name="Name">
/// Among imbalances qk or vo: log2 of |W_q|/|W_k| or |W_v|/|W_o|, sums of magnitudes.
/// Among norms q, k, v or o: the sum of the magnitudes of the projection.
/// </param>
/// <param name="Layer">The layer, from 0.</param>
/// <param name="Steps">Steps that were done at each value.</param>
/// <param name="Values">The values.</param>
public sealed record LayerSeries(string Name, int Layer, IReadOnlyList<long> Steps, IReadOnlyList<double> Values);
