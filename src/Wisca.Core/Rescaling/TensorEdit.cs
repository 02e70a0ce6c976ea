using Wisca.Checkpoints;

namespace Wisca.Rescaling;

/// <summary>What happens to one tensor while its file is written anew, row by row. One thread uses it at a time.</summary>
/// <param name="Axis">The axis that is singled out: 0 for rows (and a bias), 1 for columns.</param>
internal abstract record TensorEdit(int Axis)
{
    /// <summary>Writes a row.</summary>
    /// <param name="matrix">The tensor.</param>
    /// <param name="row">Which row.</param>
    /// <param name="source">Its bytes as they are.</param>
    /// <param name="target">Its bytes as they become.</param>
    public abstract void Apply(MatrixView matrix, int row, ReadOnlySpan<byte> source, Span<byte> target);

    /// <summary>Called behind the last row: what was held for the tensor may go.</summary>
    public virtual void Complete()
    {
    }
}
