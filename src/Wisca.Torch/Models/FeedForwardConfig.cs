namespace Wisca.Torch.Models;

/// <summary>
/// The feed-forward layers of a decoder: down(act(gate(x)) * up(x)) where there is a gate, down(act(up(x))) else.
/// </summary>
/// <param name="IntermediateSize">Width of the inner layer.</param>
/// <param name="Activation">The non-linearity.</param>
/// <param name="Bias">True where the projections have biases.</param>
public sealed record FeedForwardConfig(int IntermediateSize, Activation Activation, bool Bias = false);
