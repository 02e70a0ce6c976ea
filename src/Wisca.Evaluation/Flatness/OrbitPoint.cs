namespace Wisca.Evaluation.Flatness;

/// <summary>What is measured at one point of an orbit, on the model as it then is.</summary>
/// <param name="Log2">log2 s.</param>
/// <param name="Loss">The loss.</param>
/// <param name="Multiplied">The trace of the block of what s multiplies.</param>
/// <param name="Divided">The trace of the block of what s divides.</param>
/// <param name="Rest">The trace of the block of all other parameters.</param>
/// <param name="PredictedPair">a / s^2 + b s^2, from the traces at s = 1.</param>
/// <param name="LargestEigenvalue">The largest eigenvalue of the whole Hessian.</param>
public sealed record OrbitPoint(
    int Log2, double Loss, double Multiplied, double Divided, double Rest, double PredictedPair, EigenvalueEstimate LargestEigenvalue)
{
    /// <summary>The trace of both blocks of the pair.</summary>
    public double Pair => Multiplied + Divided;

    /// <summary>The trace of the whole Hessian.</summary>
    public double Whole => Pair + Rest;
}
