using Wisca.Tests;

namespace Wisca.Core.Tests.Adapters;

/// <summary>What an adapter makes of a base, in float64 and the long way round: the oracle of merging, balancing and moving.</summary>
internal static class DenseModel
{
    /// <summary>The matrices of a model with its adapter, [outputs][inputs], not rounded.</summary>
    public static Dictionary<string, double[][]> Merged(string model, string adapter, double scale, bool transposed = false)
    {
        var tensors = TestCheckpoint.Read(model);
        var parts = TestCheckpoint.Read(adapter);
        var merged = new Dictionary<string, double[][]>();
        foreach (string name in parts.Keys.Where(name => name.EndsWith(".lora_A.weight", StringComparison.Ordinal)))
        {
            string stem = name[..^".lora_A.weight".Length], weight = stem["base_model.model.".Length..] + ".weight";
            double[][] a = Matrix(parts[name]), b = Matrix(parts[stem + ".lora_B.weight"]), w = Matrix(tensors[weight]);
            if (transposed) w = Transpose(w);
            double[][] sum =
            [
                .. w.Select(
                    (row, i) => row.Select((value, j) => value + (scale * b[i].Select((factor, k) => factor * a[k][j]).Sum())).ToArray()),
            ];
            if (parts.TryGetValue(stem + ".lora_magnitude_vector", out var magnitude))
            {
                double[] m = ReferenceFloat.Values(magnitude.Dtype, magnitude.Bytes);
                sum = [.. sum.Select((row, i) => row.Select(value => m[i] * value / Math.Sqrt(row.Sum(x => x * x))).ToArray())];
            }

            merged[weight] = transposed ? Transpose(sum) : sum;
        }

        return merged;
    }

    public static double[][] Matrix(TestTensor tensor)
    {
        double[] values = ReferenceFloat.Values(tensor.Dtype, tensor.Bytes);
        return [.. values.Chunk((int)tensor.Shape[^1])];
    }

    /// <summary>The largest difference relative to the largest element.</summary>
    public static double Difference(double[][] expected, double[][] actual) =>
        expected.Zip(actual, (a, b) => a.Zip(b, (x, y) => Math.Abs(x - y)).Max()).Max() / expected.Max(row => row.Max(Math.Abs));

    public static double[][] Transpose(double[][] matrix) =>
        [.. Enumerable.Range(0, matrix[0].Length).Select(column => matrix.Select(row => row[column]).ToArray())];
}
