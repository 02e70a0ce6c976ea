namespace Wisca.Torch.Models;

/// <summary>The norms of a decoder.</summary>
/// <param name="Kind">Which norm.</param>
/// <param name="Epsilon">What is added to the mean square or variance.</param>
/// <param name="Bias">True where a layer norm has a bias.</param>
/// <param name="UnitOffset">True where the stored gain is the gain minus one (gemma).</param>
public sealed record NormConfig(NormKind Kind, double Epsilon, bool Bias = false, bool UnitOffset = false);
