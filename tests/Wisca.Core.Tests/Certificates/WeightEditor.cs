using System.Runtime.InteropServices;
using Wisca.Checkpoints;
using Wisca.Safetensors;

namespace Wisca.Core.Tests.Certificates;

/// <summary>Copies model folders and changes single elements in place.</summary>
internal static class WeightEditor
{
    /// <summary>Copies the files of a model folder.</summary>
    public static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.EnumerateFiles(from)) File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }

    /// <summary>Changes the bytes of a tensor of an unsharded model.</summary>
    public static void Edit(string folder, string tensor, Action<byte[]> edit)
    {
        string path = Path.Combine(folder, Checkpoint.WeightsName);
        byte[] bytes;
        long offset;
        using (var file = SafetensorsFile.Open(path))
        {
            var info = file.Header.Find(tensor).ShouldNotBeNull(tensor);
            bytes = file.Bytes(info, 0, (int)info.ByteLength).ToArray();
            offset = file.DataOffset + info.Begin;
        }

        edit(bytes);
        using var stream = File.OpenWrite(path);
        stream.Position = offset;
        stream.Write(bytes);
    }

    /// <summary>Multiplies the rows (or columns) of a float32 or float64 matrix, or the elements of a bias, by a factor each.</summary>
    public static void Scale(string folder, string tensor, int rows, int columns, Func<int, int, double> factor) =>
        Edit(
            folder,
            tensor,
            bytes =>
            {
                for (int row = 0; row < rows; row++)
                {
                    for (int column = 0; column < columns; column++)
                    {
                        int element = (row * columns) + column;
                        if (bytes.Length == rows * columns * sizeof(double))
                            MemoryMarshal.Cast<byte, double>(bytes.AsSpan())[element] *= factor(row, column);
                        else
                            MemoryMarshal.Cast<byte, float>(bytes.AsSpan())[element] = (float)(
                                MemoryMarshal.Cast<byte, float>(bytes.AsSpan())[element] * factor(row, column));
                    }
                }
            });

    /// <summary>Moves one element away from zero by some units in the last place of its type.</summary>
    public static void Nudge(string folder, string tensor, int element, int units, Dtype dtype) => Edit(folder, tensor, bytes =>
    {
        switch (dtype)
        {
            case Dtype.F64:
                MemoryMarshal.Cast<byte, ulong>(bytes.AsSpan())[element] += (ulong)units;
                break;
            case Dtype.F32:
                MemoryMarshal.Cast<byte, uint>(bytes.AsSpan())[element] += (uint)units;
                break;
            default:
                MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan())[element] += (ushort)units;
                break;
        }
    });
}
