using Wisca.Transitions;

namespace Wisca.Torch.Transitions;

/// <summary>Something beside a model whose parameters must move when the model's do: an adapter.</summary>
public interface ITransitionFollower
{
    /// <summary>What moves along.</summary>
    /// <param name="factors">The factors of the model's parameters, which are still as they were.</param>
    /// <returns>The factors of other parameters by name.</returns>
    IReadOnlyDictionary<string, AxisFactors> Follow(IReadOnlyDictionary<string, AxisFactors> factors);
}
