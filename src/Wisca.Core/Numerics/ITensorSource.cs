using Wisca.Safetensors;

namespace Wisca.Numerics;

/// <summary>Where a transition measures its tensors: a checkpoint on disk, or a live model.</summary>
public interface ITensorSource
{
    /// <summary>The element type of a tensor.</summary>
    Dtype DtypeOf(string tensor);

    /// <summary>Measures a tensor along an axis.</summary>
    /// <param name="tensor">The tensor's full name; a matrix, or a bias with axis 0.</param>
    /// <param name="axis">0 for rows, 1 for columns. A stack of matrices counts as one below the other.</param>
    /// <param name="parts">Number of matrices of a stack of which each has columns of its own; 1 where all rows share them.</param>
    /// <param name="addsOne">True to measure 1 plus what is stored.</param>
    /// <param name="others">Factors along the other axis by which elements are multiplied before they count; null for none.</param>
    /// <exception cref="WiscaException">The tensor holds NaN or infinity.</exception>
    AxisStatistics Measure(string tensor, int axis, int parts = 1, bool addsOne = false, double[]? others = null);

    /// <summary>The largest singular value of the submatrix of each group of indices.</summary>
    /// <param name="tensor">The tensor's full name.</param>
    /// <param name="axis">0 for rows, 1 for columns.</param>
    /// <param name="groupOfIndex">For each index along the axis its group, or -1 for none.</param>
    /// <param name="groups">Number of groups.</param>
    double[] SpectralNorms(string tensor, int axis, int[] groupOfIndex, int groups);
}
