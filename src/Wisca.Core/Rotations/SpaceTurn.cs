namespace Wisca.Rotations;

/// <summary>A rotation of a space, or another change of its basis where it is a head's, with the gains of its norms before and
/// after.</summary>
/// <param name="Space">The space.</param>
/// <param name="Matrix">R, orthogonal, or invertible where <paramref name="Dual"/> is given.</param>
/// <param name="Gains">For each gain's tensor: what it is and what it becomes, 1 included where it is added.</param>
/// <param name="Dual">R^-T, for the slices that meet the others in a product; null where R is orthogonal, and so the same.</param>
internal sealed record SpaceTurn(
    RotatedSpace Space, double[,] Matrix, IReadOnlyDictionary<string, (double[] Before, double[] After)> Gains, double[,]? Dual = null)
{
    /// <summary>Decides what becomes of the gains.</summary>
    /// <param name="space">The space.</param>
    /// <param name="matrix">R.</param>
    /// <param name="gainOf">A gain's values, 1 included where it is added.</param>
    /// <param name="policy">What becomes of them.</param>
    /// <param name="dual">R^-T where R is not orthogonal.</param>
    public static SpaceTurn Of(
        RotatedSpace space, double[,] matrix, Func<RotatedGain, double[]> gainOf, GainPolicy policy, double[,]? dual = null) =>
        new(
            space, matrix,
            space.Gains.ToDictionary(
                gain => gain.Tensor,
                gain =>
                {
                    double[] before = gainOf(gain);
                    double[] after = gain.MustBeUniform ? before
                        : policy == GainPolicy.Fold ? Ones(before.Length)
                        : NormGains.Follow(before, matrix);
                    return (before, after);
                },
                StringComparer.Ordinal),
            dual);

    // One for all that turn by it: a model has hundreds of matrices.
    private readonly Lazy<double[]> _rows = new(() => Rows(Matrix));

    private readonly Lazy<double[]> _dualRows = new(() => Rows(Dual!));

    private readonly Lazy<HadamardTurn?> _fast = new(() => HadamardTurn.Find(Matrix));

    /// <summary>What becomes of a slice.</summary>
    public AxisTurn Of(RotatedSlice slice) => slice.Gain is { } gain
        ? Of(slice.Axis, slice.Start, Gains[gain].Before, Array.ConvertAll(Gains[gain].After, value => 1 / value))
        : slice.Dual && Dual is not null ? new(slice.Axis, slice.Start, Space.Size, _dualRows.Value, null, null, null)
        : Of(slice.Axis, slice.Start, null, null);

    /// <summary>What becomes of the bias of a norm: (b / g) R g'.</summary>
    public AxisTurn OfBias(RotatedGain gain) =>
        Of(0, 0, Array.ConvertAll(Gains[gain.Tensor].Before, value => 1 / value), Gains[gain.Tensor].After);

    /// <summary>The way back; the gains become what they were.</summary>
    public SpaceTurn Inverse() => new(
        Space, Transposed(Dual ?? Matrix),
        Gains.ToDictionary(entry => entry.Key, entry => (entry.Value.After, entry.Value.Before), StringComparer.Ordinal),
        Dual is null ? null : Transposed(Matrix));

    private static double[,] Transposed(double[,] matrix)
    {
        int size = matrix.GetLength(0);
        double[,] transposed = new double[size, size];
        for (int row = 0; row < size; row++)
        {
            for (int column = 0; column < size; column++) transposed[column, row] = matrix[row, column];
        }

        return transposed;
    }

    private static double[] Rows(double[,] matrix)
    {
        double[] rows = new double[matrix.Length];
        Buffer.BlockCopy(matrix, 0, rows, 0, rows.Length * sizeof(double));
        return rows;
    }

    private AxisTurn Of(int axis, int start, double[]? before, double[]? after) =>
        new(axis, start, Space.Size, _rows.Value, before, after, _fast.Value);

    private static double[] Ones(int length)
    {
        double[] ones = new double[length];
        Array.Fill(ones, 1);
        return ones;
    }
}
