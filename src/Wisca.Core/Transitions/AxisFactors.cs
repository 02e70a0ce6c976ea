namespace Wisca.Transitions;

/// <summary>What a solution does to one tensor: a factor for each index along one axis.</summary>
/// <param name="Axis">0 for rows (and a bias), 1 for columns.</param>
/// <param name="Factors">One factor for each index.</param>
public sealed record AxisFactors(int Axis, double[] Factors);
