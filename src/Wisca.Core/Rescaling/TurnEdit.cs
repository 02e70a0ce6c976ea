using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Rotations;

namespace Wisca.Rescaling;

/// <summary>
/// Turns a tensor along one or more of its axes, in float64 and rounded once. Rows of a tensor of which only the last axis turns go by in
/// blocks; any other is held whole while it is written.
/// </summary>
/// <param name="Tensor">The tensor.</param>
/// <param name="Turns">What happens to it, in order.</param>
internal sealed record TurnEdit(StoredTensor Tensor, IReadOnlyList<AxisTurn> Turns) : TensorEdit(0)
{
    private const int BlockElements = 1 << 18;

    private double[]? _block;
    private int _first, _count;

    public override void Apply(MatrixView matrix, int row, ReadOnlySpan<byte> source, Span<byte> target)
    {
        if (_block is null || row < _first || row >= _first + _count) Fill(matrix, row);
        var values = _block.AsSpan((row - _first) * matrix.Columns, matrix.Columns);
        double most = Elements.MaxFinite(matrix.Dtype);
        foreach (double value in values)
        {
            if (!(Math.Abs(value) <= most))
                throw new WiscaException(
                    $"tensor '{Tensor.Info.Name}' would hold {value} in row {row}, which {matrix.Dtype} does not",
                    "are these weights finite? convert the model to BF16 or F32 first");
        }

        Elements.Encode(matrix.Dtype, values, target);
    }

    public override void Complete() => _block = null;

    private void Fill(MatrixView matrix, int row)
    {
        var shape = Tensor.Info.Shape;
        bool rowwise = Turns.All(turn => turn.Axis == shape.Length - 1) && shape.Length > 1;
        (_first, _count) = rowwise
            ? (row, Math.Min(Math.Max(1, BlockElements / matrix.Columns), matrix.Rows - row))
            : (0, matrix.Rows);
        int elements = checked(_count * matrix.Columns);
        if (_block?.Length != elements) _block = new double[elements];
        using (var reader = new RowReader(matrix))
        {
            for (int index = 0; index < _count; index++)
                reader.Decode(_first + index, _block.AsSpan(index * matrix.Columns, matrix.Columns));
        }

        foreach (var turn in Turns)
        {
            if (turn.Inner is { } together)
            {
                turn.Apply(_block, _block.Length / together, together);
                continue;
            }

            int inner = 1;
            for (int axis = turn.Axis + 1; axis < shape.Length; axis++) inner = checked(inner * (int)shape[axis]);
            turn.Apply(_block, (int)shape[turn.Axis], inner);
        }
    }
}
