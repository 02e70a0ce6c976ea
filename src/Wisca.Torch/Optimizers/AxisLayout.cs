namespace Wisca.Torch.Optimizers;

/// <summary>An axis of a state tensor, as long as one of the parameter.</summary>
/// <param name="Axis">Which one.</param>
/// <param name="Follows">Whether it follows that one, or is only as long.</param>
/// <param name="Basis">The state in whose columns its indices are coordinates; null where they are the parameter's.</param>
internal sealed record AxisLayout(int Axis, bool Follows = true, string? Basis = null);
