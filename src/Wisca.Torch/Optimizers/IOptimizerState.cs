namespace Wisca.Torch.Optimizers;

/// <summary>
/// What a change of the weights in mid-training needs of any optimizer. After a parameter was multiplied by s, its state follows by the
/// degrees; where there is a master among it, the parameter is then refreshed from it.
/// </summary>
public interface IOptimizerState : IParameterState
{
    /// <summary>
    /// Makes the moments and the step count what they were before the first step. The float32 master of a 16-bit parameter stays: it is
    /// the weight. So do the factors of <see cref="MultiplyEpsilon"/> and <see cref="MultiplyLearningRate"/>.
    /// </summary>
    /// <param name="parameter">The parameter's name.</param>
    void Reset(string parameter);

    /// <summary>
    /// Rounds the float32 master of a 16-bit parameter into the parameter, after the master was changed from outside.
    /// Where there is no master it does nothing.
    /// </summary>
    /// <param name="parameter">The parameter's name.</param>
    void RefreshFromMaster(string parameter);

    /// <summary>True where the parameter is trained by an update with an epsilon, which is measured in units of the gradient.</summary>
    /// <param name="parameter">The parameter's name.</param>
    bool HasEpsilon(string parameter);

    /// <summary>Multiplies the epsilon of one parameter from now on:
    /// by 1/s after the parameter was multiplied by s, as its gradient is.</summary>
    /// <param name="parameter">The parameter's name.</param>
    /// <param name="factor">Positive and finite.</param>
    /// <exception cref="NotSupportedException">The update of this parameter has no epsilon.</exception>
    void MultiplyEpsilon(string parameter, double factor);

    /// <summary>
    /// Multiplies the learning rate of one parameter from now on. After a parameter was multiplied by s, a factor of s (s^2 for SGD) makes
    /// the training in function space what it was without.
    /// </summary>
    /// <param name="parameter">The parameter's name.</param>
    /// <param name="factor">Positive and finite.</param>
    /// <param name="keepDecay">True to keep learning rate times weight decay as it is,
    /// so that only the gradient's part of the step changes.</param>
    void MultiplyLearningRate(string parameter, double factor, bool keepDecay = true);
}
