namespace Wisca.Optimizers;

/// <summary>What is kept beside parameters while they train, by parameter name.</summary>
public interface IParameterState
{
    /// <summary>The tensors kept for a parameter; empty before there are any.</summary>
    /// <param name="parameter">The parameter's name.</param>
    /// <exception cref="ArgumentException">There is no parameter of that name.</exception>
    IReadOnlyList<StateTensor> StateOf(string parameter);
}
