using Wisca.Safetensors;

namespace Wisca.Checkpoints;

/// <summary>A tensor and the file that holds it.</summary>
/// <param name="File">The opened file.</param>
/// <param name="Info">Name, element type, shape and place.</param>
public sealed record StoredTensor(SafetensorsFile File, TensorInfo Info)
{
    /// <summary>A part of the tensor's bytes; valid until the checkpoint is disposed.</summary>
    public ReadOnlySpan<byte> Bytes(long offset, int length) => File.Bytes(Info, offset, length);

    /// <summary>Copies a part of the tensor's bytes; the way to read a whole tensor once. See <see cref="SafetensorsFile.Read"/>.</summary>
    public void Read(long offset, Span<byte> target) => File.Read(Info, offset, target);
}
