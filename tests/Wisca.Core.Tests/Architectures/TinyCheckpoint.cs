using System.Runtime.InteropServices;
using Wisca.Checkpoints;
using Wisca.Safetensors;

namespace Wisca.Core.Tests.Architectures;

/// <summary>Writes tiny random models to disk.</summary>
internal static class TinyCheckpoint
{
    /// <summary>Writes and opens a model of a family.</summary>
    public static Checkpoint Create(TinyFamily family, string folder, Dtype dtype = Dtype.F64, int seed = 1)
    {
        var random = new Random(seed);
        var tensors = new List<(string Name, int[] Shape, double[] Values)>
        {
            ("embedding.weight", [5, family.Hidden], Values([5, family.Hidden], random)),
        };
        for (int layer = 0; layer < family.Layers; layer++)
        {
            foreach (var (name, shape) in family.LayerTensors(layer))
            {
                double[] values = Values(shape, random);
                Unbalance(family, name, values);
                tensors.Add((family.LayerName(layer) + name, shape, values));
            }
        }

        Write(folder, family.ConfigJson(), dtype, tensors);
        return Checkpoint.Open(folder);
    }

    public static void Write(string folder, string config, Dtype dtype, IReadOnlyList<(string Name, int[] Shape, double[] Values)> tensors)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), config);
        var header = SafetensorsHeader.Create(
            tensors.Select(tensor => (tensor.Name, dtype, tensor.Shape.Select(size => (long)size).ToArray())));
        using var writer = new SafetensorsWriter(Path.Combine(folder, Checkpoint.WeightsName), header);
        foreach (var (_, _, values) in tensors) writer.Write(Encode(dtype, values));
        writer.Complete();
    }

    /// <summary>Random numbers; in a matrix every row and every column has a scale of its own,
    /// so that no two groups need the same factor.</summary>
    private static double[] Values(int[] shape, Random random)
    {
        if (shape.Length != 2)
            return
            [
                .. Enumerable
                    .Range(0, shape.Aggregate(1, (product, size) => product * size))
                    .Select(_ => 0.5 * AttentionOracle.Gauss(random)),
            ];
        double[] rows = Scales(shape[0]), columns = Scales(shape[1]);
        return [.. from row in Enumerable.Range(0, shape[0]) from column in Enumerable.Range(0, shape[1])
            select AttentionOracle.Gauss(random) * rows[row] * columns[column] / Math.Sqrt(shape[1])];

        double[] Scales(int count) => [.. Enumerable.Range(0, count).Select(_ => Math.Pow(2, (3 * random.NextDouble()) - 1.5))];
    }

    /// <summary>Makes queries small, keys and values large,
    /// so that even the factor of a whole tensor is no 1 when rounded to a power of two.</summary>
    private static void Unbalance(TinyFamily family, string name, double[] values)
    {
        foreach (
            var (role, heads, factor) in ((char, int, double)[])
                [('q', family.Heads, 0.15), ('k', family.KvHeads, 4), ('v', family.KvHeads, 30)])
        {
            var (module, rows) = family.ModuleOf(role);
            if (name != module + ".weight") continue;
            for (int head = 0; head < heads; head++)
            {
                for (int channel = 0; channel < family.HeadDim; channel++)
                {
                    int row = family.RowOf(role, head) + channel;
                    for (int i = 0; i < family.Hidden; i++)
                        values[family.Transposed ? (i * rows) + row : (row * family.Hidden) + i] *= factor;
                }
            }
        }
    }

    private static byte[] Encode(Dtype dtype, double[] values) => dtype switch
    {
        Dtype.F64 => MemoryMarshal.AsBytes<double>(values).ToArray(),
        Dtype.F32 => MemoryMarshal.AsBytes<float>([.. values.Select(value => (float)value)]).ToArray(),
        Dtype.F16 => MemoryMarshal.AsBytes<Half>([.. values.Select(value => (Half)value)]).ToArray(),
        Dtype.BF16 => MemoryMarshal
            .AsBytes<ushort>([.. values.Select(value => (ushort)(BitConverter.SingleToUInt32Bits((float)value) >> 16))])
            .ToArray(),
        _ => throw new InvalidOperationException(),
    };
}
