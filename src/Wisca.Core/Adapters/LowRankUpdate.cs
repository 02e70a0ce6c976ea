using Wisca.Checkpoints;
using Wisca.Numerics;

namespace Wisca.Adapters;

/// <summary>Scale P Q in the layout that a base's matrix is stored in: B A, or its transpose for a Conv1D. In float64.</summary>
internal sealed class LowRankUpdate
{
    private readonly LowRankFactors _factors;

    public LowRankUpdate(BoundModule bound)
    {
        var module = bound.Module;
        double[] a = module.ValuesOfA(), b = module.ValuesOfB();
        var (left, right) = bound.Transposed ? (Transpose(a, module.Inputs), Transpose(b, module.Rank)) : (b, a);
        for (int i = 0; i < left.Length; i++) left[i] *= module.Scale;
        _factors = new LowRankFactors(left, right, module.Rank);
    }

    /// <summary>Adds a row of the product to the same row of the base.</summary>
    public void AddTo(int row, Span<double> values) => _factors.AddTo(row, values);

    /// <summary>
    /// For each output, the length of its row of W + Scale B A, once as it is and once with the base's rows and columns multiplied by
    /// factors along one axis of the stored matrix.
    /// </summary>
    /// <param name="bound">The module.</param>
    /// <param name="axis">The axis of the factors.</param>
    /// <param name="factors">A factor for each index along it; null for none, and then both lengths are the same.</param>
    /// <param name="baseIsScaled">True where the base's matrix has the factors already, and the adapter has not.</param>
    /// <param name="others">Factors along the other axis that it has then too; null for none.</param>
    public static (double[] Plain, double[] Scaled) Norms(
        BoundModule bound, int axis = 0, double[]? factors = null, bool baseIsScaled = false, double[]? others = null)
    {
        var update = new LowRankUpdate(bound);
        double[] plain = new double[bound.Module.Outputs], scaled = new double[plain.Length];
        bound.ForEachRow((row, values) =>
        {
            for (int column = 0; baseIsScaled && column < values.Length; column++)
                values[column] /= factors![axis == 0 ? row : column] * (others?[axis == 0 ? column : row] ?? 1);
            update.AddTo(row, values);
            for (int column = 0; column < values.Length; column++)
            {
                int output = bound.Transposed ? column : row;
                double square = values[column] * values[column], factor = factors?[axis == 0 ? row : column] ?? 1;
                plain[output] += square;
                scaled[output] += square * factor * factor;
            }
        });
        return (Array.ConvertAll(plain, Math.Sqrt), Array.ConvertAll(scaled, Math.Sqrt));
    }

    /// <summary>A tensor's elements in float64.</summary>
    internal static double[] Values(StoredTensor tensor)
    {
        byte[] bytes = new byte[tensor.Info.ByteLength];
        tensor.Read(0, bytes);
        double[] values = new double[tensor.Info.ElementCount];
        Elements.Decode(tensor.Info.Dtype, bytes, values);
        return values;
    }

    /// <summary>A matrix of so many columns, turned.</summary>
    internal static double[] Transpose(double[] values, int columns)
    {
        int rows = values.Length / columns;
        double[] transposed = new double[values.Length];
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++) transposed[(column * rows) + row] = values[(row * columns) + column];
        }

        return transposed;
    }
}
