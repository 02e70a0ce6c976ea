using Wisca.Safetensors;

namespace Wisca.Numerics;

/// <summary>Where a transition measures its tensors: a checkpoint on disk, or a live model.</summary>
public interface ITensorSource
{
    /// <summary>The element type of a tensor.</summary>
    Dtype DtypeOf(string tensor);

    /// <summary>Measures a tensor along an axis.</summary>
    /// <param name="tensor">The tensor's full name; a matrix, or a bias with axis 0.</param>
    /// <param name="axis">0 for rows, 1 for columns.</param>
    /// <exception cref="WiscaException">The tensor holds NaN or infinity.</exception>
    AxisStatistics Measure(string tensor, int axis);

    /// <summary>The largest singular value of the submatrix of each group of indices.</summary>
    /// <param name="tensor">The tensor's full name.</param>
    /// <param name="axis">0 for rows, 1 for columns.</param>
    /// <param name="groupOfIndex">For each index along the axis its group, or -1 for none.</param>
    /// <param name="groups">Number of groups.</param>
    double[] SpectralNorms(string tensor, int axis, int[] groupOfIndex, int groups);
}
