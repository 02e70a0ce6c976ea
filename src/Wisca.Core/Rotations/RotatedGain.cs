namespace Wisca.Rotations;

/// <summary>
/// The gain of a norm on the residual stream. Only W diag(g) R = W' diag(g') is required of those that read behind it, so g' is free; a
/// bias b of the norm becomes b' = (b / g) R g', by which W' b' = W b.
/// </summary>
/// <param name="Tensor">The gain's full name.</param>
/// <param name="AddsOne">True where the gain is 1 plus what is stored.</param>
/// <param name="MustBeUniform">
/// True where the gain has nowhere to go (a tied head reads behind it, or what is behind it is the stream again): then all its elements
/// must be equal, and stay as they are.
/// </param>
/// <param name="Bias">The full name of the norm's bias; null where it has none.</param>
public sealed record RotatedGain(string Tensor, bool AddsOne, bool MustBeUniform, string? Bias = null);
