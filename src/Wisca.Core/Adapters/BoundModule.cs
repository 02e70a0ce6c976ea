using Wisca.Checkpoints;
using Wisca.Numerics;

namespace Wisca.Adapters;

/// <summary>A module of an adapter and the matrix of the base that it changes.</summary>
/// <param name="Module">The factors.</param>
/// <param name="Weight">The base's matrix.</param>
/// <param name="Transposed">True where the base stores [in, out] (Conv1D).</param>
public sealed record BoundModule(AdapterModule Module, StoredTensor Weight, bool Transposed)
{
    /// <summary>The axis of <see cref="Weight"/> along which the outputs lie.</summary>
    public int OutputAxis => Transposed ? 1 : 0;

    /// <summary>The base's rows as they are stored, in float64; the action may change them.</summary>
    internal void ForEachRow(Action<int, double[]> act)
    {
        var matrix = new MatrixView(Weight, 0);
        double[] values = new double[matrix.Columns];
        using var rows = new RowReader(matrix);
        while (rows.Next())
        {
            for (int row = 0; row < rows.Count; row++)
            {
                Elements.Decode(matrix.Dtype, rows.Row(row), values);
                act(rows.First + row, values);
            }
        }
    }
}
