using Wisca.Checkpoints;
using Wisca.Numerics;
using Wisca.Rescaling;

namespace Wisca.Adapters;

/// <summary>W + scale B A, with DoRA's lengths where there are any: computed in float64, rounded once into the stored type.</summary>
internal sealed record MergeEdit(BoundModule Bound) : TensorEdit(0)
{
    private LowRankUpdate? _update;
    private double[]? _values, _lengths;

    public override void Apply(MatrixView matrix, int row, ReadOnlySpan<byte> source, Span<byte> target)
    {
        _update ??= new LowRankUpdate(Bound);
        _lengths ??= Lengths();
        double[] values = _values ??= new double[matrix.Columns];
        int own = row - ((Bound.Slab ?? 0) * Bound.Rows);
        if (Bound.KeepsBase) Elements.Decode(matrix.Dtype, source, values);
        else Bound.ReadRow(own, values);
        _update.AddTo(own, values);
        for (int column = 0; column < values.Length && _lengths.Length > 0; column++)
            values[column] *= _lengths[Bound.Transposed ? column : own];
        Store(matrix, row, values, target);
    }

    public override void Complete()
    {
        (_update, _values, _lengths) = (null, null, null);
        Bound.Release();
    }

    internal static void Store(MatrixView matrix, int row, double[] values, Span<byte> target)
    {
        double most = Elements.MaxFinite(matrix.Dtype);
        for (int column = 0; column < values.Length; column++)
        {
            if (Math.Abs(values[column]) <= most) continue;
            throw new WiscaException(
                $"tensor '{matrix.Tensor.Info.Name}' would hold {values[column]} at [{row}, {column}], which {matrix.Dtype} does not",
                "convert the base to BF16 or F32 first, or look for NaN in the adapter");
        }

        Elements.Encode(matrix.Dtype, values, target);
    }

    /// <summary>Magnitude over length for each output; empty without DoRA.</summary>
    private double[] Lengths()
    {
        if (Bound.Module.Magnitude is not { } magnitude) return [];
        var (lengths, _) = LowRankUpdate.Norms(Bound);
        return [.. LowRankUpdate.Values(magnitude).Zip(lengths, (m, length) => m / length)];
    }
}
