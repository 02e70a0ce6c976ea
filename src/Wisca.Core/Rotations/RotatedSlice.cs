using System.Text.Json.Serialization;

namespace Wisca.Rotations;

/// <summary>
/// Consecutive indices along an axis of a tensor that lie in a rotated space. With R [size, size] it becomes
/// T'[.., start + j, ..] = sum over i of T[.., start + i, ..] R[i, j]; where it reads behind a norm with gain g,
/// R stands for diag(g) R diag(1/g').
/// </summary>
/// <param name="Tensor">The tensor's full name.</param>
/// <param name="Axis">The axis: 0 for rows (and the only axis of a bias), 1 for columns, 2 for the last of three.</param>
/// <param name="Start">The first index; there are as many as the space has dimensions.</param>
/// <param name="Role">What it does there.</param>
/// <param name="Gain">The gain of the norm that it reads behind (<see cref="RotatedGain.Tensor"/>); null where there is none.</param>
/// <param name="Dual">
/// True for the side of a head that the first meets in a product: of a matrix that is not orthogonal it takes the inverse, transposed.
/// </param>
public sealed record RotatedSlice(
    string Tensor, int Axis, int Start, SliceRole Role, string? Gain = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool Dual = false);
