namespace Wisca.Torch.Optimizers;

/// <summary>What is kept beside parameters while they train, by parameter name.</summary>
public interface IParameterState
{
    /// <summary>The tensors kept for a parameter; empty before there are any, and for a parameter that is not trained.</summary>
    /// <param name="parameter">The parameter's name.</param>
    IReadOnlyList<StateTensor> StateOf(string parameter);
}
