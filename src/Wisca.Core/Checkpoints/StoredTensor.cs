using System.Buffers;
using Wisca.Safetensors;

namespace Wisca.Checkpoints;

/// <summary>A tensor and the file that holds it.</summary>
/// <param name="File">The opened file.</param>
/// <param name="Info">Name, element type, shape and place.</param>
public sealed record StoredTensor(SafetensorsFile File, TensorInfo Info)
{
    /// <summary>True where another tensor's stored bytes are the same.</summary>
    /// <param name="other">A tensor of as many bytes.</param>
    /// <exception cref="WiscaException">A file ended early.</exception>
    public bool HasBytesOf(StoredTensor other)
    {
        ArgumentNullException.ThrowIfNull(other);
        const int piece = 1 << 18;
        if (Info.ByteLength != other.Info.ByteLength) return false;
        byte[] mine = ArrayPool<byte>.Shared.Rent(piece), its = ArrayPool<byte>.Shared.Rent(piece);
        try
        {
            for (long offset = 0; offset < Info.ByteLength; offset += piece)
            {
                int length = (int)Math.Min(piece, Info.ByteLength - offset);
                Read(offset, mine.AsSpan(0, length));
                other.Read(offset, its.AsSpan(0, length));
                if (!mine.AsSpan(0, length).SequenceEqual(its.AsSpan(0, length))) return false;
            }

            return true;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(mine);
            ArrayPool<byte>.Shared.Return(its);
        }
    }

    /// <summary>One of the matrices of a stack, as a tensor of its own.</summary>
    /// <param name="part">Which.</param>
    /// <param name="parts">Number of parts, which the first axis counts or is a multiple of.</param>
    internal StoredTensor Part(int part, int parts)
    {
        long length = Info.ByteLength / parts;
        long[] shape = Info.Shape[0] == parts ? [.. Info.Shape.Skip(1)] : [Info.Shape[0] / parts, .. Info.Shape.Skip(1)];
        return this with
        {
            Info = new TensorInfo(
                $"{Info.Name}[{part}]", Info.Dtype, [.. shape], Info.Begin + (part * length), Info.Begin + ((part + 1) * length)),
        };
    }

    /// <summary>A copy of a part of the tensor's bytes.</summary>
    public byte[] Bytes(long offset, int length) => File.Bytes(Info, offset, length);

    /// <summary>Copies a part of the tensor's bytes. See <see cref="SafetensorsFile.Read"/>.</summary>
    public void Read(long offset, Span<byte> target) => File.Read(Info, offset, target);
}
