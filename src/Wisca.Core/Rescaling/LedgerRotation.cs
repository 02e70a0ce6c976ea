using Wisca.Rotations;

namespace Wisca.Rescaling;

/// <summary>A rotation of one space, of which the matrix and the gains are in a safetensors file beside the ledger.</summary>
/// <param name="Space">The space's name, by which its matrix is found in the file.</param>
/// <param name="Kind">Its kind.</param>
/// <param name="Size">Its size.</param>
/// <param name="File">The file's name.</param>
/// <param name="Slices">What was turned: of an adapter, what it has there.</param>
/// <param name="Gains">The gains of the norms on it.</param>
public sealed record LedgerRotation(
    string Space, RotationKind Kind, int Size, string File, IReadOnlyList<RotatedSlice> Slices, IReadOnlyList<RotatedGain> Gains)
{
    internal RotatedSpace ToSpace() => new(Kind, Space, Size, KeepsOnes: false, [.. Slices], [.. Gains]);

    internal string? FindFault() =>
        string.IsNullOrEmpty(Space) || Size < 1 || !Enum.IsDefined(Kind) ? "a rotation without a space"
        : File != Path.GetFileName(File) || !File.StartsWith(RotationFile.Prefix, StringComparison.Ordinal)
            || !File.EndsWith(".safetensors", StringComparison.Ordinal)
            ? $"a rotation in the file '{File}'"
        : Slices.Contains(null!) || Gains.Contains(null!) ? $"a slice or gain of {Space} that is null"
        : Slices.FirstOrDefault(slice => slice.Axis is < 0 or > 2 || slice.Start < 0 || !Enum.IsDefined(slice.Role)) is { } slice
            ? $"'{slice.Tensor}': axis {slice.Axis} or start {slice.Start}"
        : Slices.FirstOrDefault(slice => slice.Gain is not null && Gains.All(gain => gain.Tensor != slice.Gain)) is { } unknown
            ? $"'{unknown.Tensor}' reads behind '{unknown.Gain}', which is not listed"
        : null;
}
