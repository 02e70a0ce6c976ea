using static TorchSharp.torch;

namespace Wisca.Torch.Models;

/// <summary>What a router did with N tokens.</summary>
/// <param name="Probabilities">The probability of each expert summed over the tokens, [experts], differentiable.</param>
/// <param name="Choices">How many tokens went to each expert, [experts], of the same type.</param>
/// <param name="Tokens">N.</param>
internal sealed record Routing(Tensor Probabilities, Tensor Choices, long Tokens);
