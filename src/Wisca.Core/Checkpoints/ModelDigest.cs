using System.IO.Hashing;
using System.Text;

namespace Wisca.Checkpoints;

/// <summary>Tells models apart by what they hold, not by where they lie or how their weights are spread over files.</summary>
public static class ModelDigest
{
    private const int Piece = 1 << 20;

    /// <summary>A hash (XXH128, 32 hexadecimal digits) of the configuration and of every tensor's name, type, shape and bytes.</summary>
    /// <exception cref="WiscaException">A file cannot be read.</exception>
    public static string Of(Checkpoint checkpoint, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        var hash = new XxHash128();
        hash.Append(Encoding.UTF8.GetBytes(checkpoint.Config.Root.GetRawText()));
        byte[] buffer = new byte[Piece];
        foreach (var tensor in checkpoint.Tensors.OrderBy(tensor => tensor.Info.Name, StringComparer.Ordinal))
        {
            hash.Append(Encoding.UTF8.GetBytes($"\n{tensor.Info.Name} {tensor.Info.Dtype} {tensor.Info.ShapeText}\n"));
            for (long offset = 0; offset < tensor.Info.ByteLength; offset += Piece)
            {
                cancellation.ThrowIfCancellationRequested();
                var piece = buffer.AsSpan(0, (int)Math.Min(Piece, tensor.Info.ByteLength - offset));
                tensor.Read(offset, piece);
                hash.Append(piece);
            }
        }

        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }
}
