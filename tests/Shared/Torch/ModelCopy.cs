using System.Runtime.InteropServices;
using System.Text.Json;
using Wisca.Checkpoints;
using Wisca.Safetensors;

namespace Wisca.Tests.Torch;

/// <summary>Writes checkpoints the tests' own way: values as float32, rounded once into the stored type.</summary>
internal static class ModelCopy
{
    /// <summary>Copies a model into another folder, element type and number of shards;
    /// edit may change a tensor's values, row-major.</summary>
    public static void Write(
        Checkpoint source, string folder, Dtype dtype = Dtype.F32, int shards = 1, Action<TensorInfo, float[]>? edit = null)
    {
        var tensors = source.Tensors.Select(tensor =>
        {
            float[] values = Values(tensor);
            edit?.Invoke(tensor.Info, values);
            return (tensor.Info.Name, tensor.Info.Shape.ToArray(), values);
        });
        Write(folder, source.Config.Root.GetRawText(), tensors, dtype, shards, source.Shards[0].Header.Metadata);
    }

    /// <summary>Writes a model; tensors go to the shards in turn, so that neighbours lie in different ones.</summary>
    public static void Write(
        string folder,
        string config,
        IEnumerable<(string Name, long[] Shape, float[] Values)> tensors,
        Dtype dtype = Dtype.F32,
        int shards = 1,
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), config);
        var all = tensors.ToList();
        var map = new Dictionary<string, string>();
        for (int shard = 0; shard < shards; shard++)
        {
            string name = shards == 1 ? Checkpoint.WeightsName : $"model-{shard + 1:00000}-of-{shards:00000}.safetensors";
            var part = all.Where((_, index) => index % shards == shard).ToList();
            using var writer = new SafetensorsWriter(
                Path.Combine(folder, name), SafetensorsHeader.Create(part.Select(tensor => (tensor.Name, dtype, tensor.Shape)), metadata));
            foreach (var tensor in part)
            {
                writer.Write(Encode(tensor.Values, dtype));
                map[tensor.Name] = name;
            }

            writer.Complete();
        }

        if (shards > 1) File.WriteAllText(Path.Combine(folder, Checkpoint.IndexName), JsonSerializer.Serialize(new { weight_map = map }));
    }

    /// <summary>A tensor's elements, exactly.</summary>
    public static float[] Values(StoredTensor tensor)
    {
        ReadOnlySpan<byte> bytes = tensor.Bytes(0, (int)tensor.Info.ByteLength);
        return tensor.Info.Dtype switch
        {
            Dtype.F32 => MemoryMarshal.Cast<byte, float>(bytes).ToArray(),
            Dtype.F16 => Array.ConvertAll(MemoryMarshal.Cast<byte, Half>(bytes).ToArray(), half => (float)half),
            Dtype.BF16 => Array.ConvertAll(
                MemoryMarshal.Cast<byte, ushort>(bytes).ToArray(),
                bits => BitConverter.UInt32BitsToSingle((uint)bits << 16)),
            var other => throw new NotSupportedException($"{other}"),
        };
    }

    private static byte[] Encode(float[] values, Dtype dtype) => dtype switch
    {
        Dtype.F32 => MemoryMarshal.AsBytes<float>(values).ToArray(),
        Dtype.F16 => MemoryMarshal.AsBytes<Half>(Array.ConvertAll(values, value => (Half)value)).ToArray(),
        Dtype.BF16 => MemoryMarshal.AsBytes<ushort>(Array.ConvertAll(values, Round)).ToArray(),
        _ => throw new NotSupportedException($"{dtype}"),
    };

    private static ushort Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
