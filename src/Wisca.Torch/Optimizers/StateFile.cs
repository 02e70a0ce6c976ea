using Wisca.Files;
using Wisca.Safetensors;
using static TorchSharp.torch;

namespace Wisca.Torch.Optimizers;

/// <summary>Tensors of training state in safetensors files: they appear whole or not at all, and are read back to the bit.</summary>
internal static class StateFile
{
    private const int ListedDifferences = 8;

    // Bytes moved at a time; a span cannot hold more than 2^31.
    private const long Piece = 1 << 26;

    public static void Write(string path, IReadOnlyList<(string Name, Tensor Tensor)> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        try
        {
            var header = SafetensorsHeader.Create(
                tensors.Select(tensor => (tensor.Name, tensor.Tensor.dtype.ToDtype(), tensor.Tensor.shape)),
                metadata);
            using var file = AtomicFile.Create(path);
            using var writer = new SafetensorsWriter(file.Stream, header);
            foreach (var (_, tensor) in tensors) ForEachPiece(tensor, (piece, _) => writer.Write(piece.bytes));
            writer.Complete();
            file.Commit();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new WiscaException(
                $"{path} cannot be written: {exception.Message}", "check the folder, its permissions and the space on its disk", exception);
        }
    }

    /// <summary>A tensor of the file as a new one that no scope owns.</summary>
    public static Tensor Read(SafetensorsFile file, TensorInfo info, ScalarType type, Device device)
    {
        using var scope = NewDisposeScope();
        var tensor = empty(info.Shape.ToArray(), type);
        long size = info.Dtype.Bits() / 8;
        ForEachPiece(tensor, (piece, begin) => file.Read(info, begin * size, piece.bytes));
        return tensor.to(device).DetachFromDisposeScope();
    }

    /// <summary>Says how a stored tensor differs from what is expected; null where it does not.</summary>
    public static string? Difference(SafetensorsFile file, string name, long[] expected, ScalarType type)
    {
        var (shape, dtype) = ($"[{string.Join(", ", expected)}]", type.ToDtype());
        if (file.Header.Find(name) is not { } info) return $"no {name} {shape} {dtype}";
        return info.Dtype == dtype && info.Shape.AsSpan().SequenceEqual(expected)
            ? null
            : $"{name} is {info.ShapeText} {info.Dtype}, expected {shape} {dtype}";
    }

    public static void ThrowIfAny(IReadOnlyList<string> differences, string path, string what)
    {
        if (differences.Count == 0) return;
        string more = differences.Count > ListedDifferences ? $"; and {differences.Count - ListedDifferences} more" : "";
        throw new WiscaException(
            $"{path}: {what}: {string.Join("; ", differences.Take(ListedDifferences))}{more}",
            "the state and the model or the optimizer do not belong together");
    }

    private static void ForEachPiece(Tensor tensor, Action<Tensor, long> act)
    {
        using var scope = NewDisposeScope();
        var flat = tensor.detach().cpu().contiguous().view(-1);
        long count = Piece / flat.element_size();
        for (long begin = 0; begin < flat.shape[0]; begin += count)
        {
            using var piece = flat.narrow(0, begin, Math.Min(count, flat.shape[0] - begin));
            act(piece, begin);
        }
    }
}
