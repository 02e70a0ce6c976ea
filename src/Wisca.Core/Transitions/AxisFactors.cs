using Wisca.Numerics;

namespace Wisca.Transitions;

/// <summary>What a solution does to one tensor: a factor for each row and for each column, which multiply each other.</summary>
/// <param name="Rows">One factor for each row (or element of a bias); null for none. Those of a stack are numbered through.</param>
/// <param name="Columns">One factor for each column; null for none. Of a stack, one for each column of each of its matrices, or of
/// all.</param>
public sealed record AxisFactors(double[]? Rows, double[]? Columns)
{
    /// <summary>True where what is multiplied is 1 plus what is stored.</summary>
    public bool AddsOne { get; init; }

    /// <summary>Factors along one axis.</summary>
    /// <param name="axis">0 for rows (and a bias), 1 for columns.</param>
    /// <param name="factors">One factor for each index.</param>
    public static AxisFactors Along(int axis, double[] factors) => axis == 0 ? new(factors, null) : new(null, factors);

    /// <summary>The factors along an axis; null for none.</summary>
    public double[]? Of(int axis) => axis == 0 ? Rows : Columns;

    /// <summary>What takes them back.</summary>
    public AxisFactors Inverse() => this with { Rows = Inverse(Rows), Columns = Inverse(Columns) };

    /// <summary>True where every factor is 1.</summary>
    public bool IsIdentity => All(factor => factor == 1);

    /// <summary>True where every factor is a power of two, and elements are multiplied as they are stored.</summary>
    public bool PowersOfTwo => !AddsOne && All(Elements.IsPowerOfTwo);

    /// <summary>The one factor of all elements; null where they differ.</summary>
    public double? Uniform =>
        Same(Rows) is { } rows && Same(Columns) is { } columns ? rows * columns : null;

    /// <summary>True where all factors are alike in what is asked.</summary>
    internal bool All(Predicate<double> holds) =>
        (Rows is null || Array.TrueForAll(Rows, holds)) && (Columns is null || Array.TrueForAll(Columns, holds));

    private static double? Same(double[]? factors) =>
        factors is null ? 1
        : Array.TrueForAll(factors, factor => factor == factors[0]) ? factors[0]
        : null;

    private static double[]? Inverse(double[]? factors) => factors is null ? null : Array.ConvertAll(factors, factor => 1 / factor);
}
