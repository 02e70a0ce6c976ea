using Wisca.Attention;
using Wisca.Transitions;

namespace Wisca.Evaluation.Flatness;

/// <summary>
/// The curvature of the two sides that exchange a factor s. On the way W_1 -> s W_1, W_2 -> W_2 / s the loss is the same function of the
/// product, so the traces of the Hessian's two diagonal blocks become a / s^2 and b s^2.
/// </summary>
/// <param name="Layer">The layer.</param>
/// <param name="Kind">Which projections.</param>
/// <param name="Label">The group.</param>
/// <param name="Multiplied">a: the trace of the block of what s multiplies (queries, values).</param>
/// <param name="Divided">b: the trace of the block of what s divides (keys, output).</param>
public sealed record PairCurvature(int Layer, TransitionKind Kind, GroupLabel Label, TraceEstimate Multiplied, TraceEstimate Divided)
{
    /// <summary>log2 of the s with the least trace, (a / b)^(1/4); null where a or b is not above zero by two standard errors: then there
    /// is none, or it is not known.</summary>
    public double? FlattestLog2 { get; } =
        Multiplied.IsPositive && Divided.IsPositive ? 0.25 * Math.Log2(Multiplied.Value / Divided.Value) : null;

    /// <summary>The standard error of <see cref="FlattestLog2"/>, to first order in those of a and b.</summary>
    public double? FlattestLog2Error { get; } = Multiplied.IsPositive && Divided.IsPositive
        ? 0.25 / Math.Log(2) * double.Hypot(Multiplied.StandardError / Multiplied.Value, Divided.StandardError / Divided.Value)
        : null;

    /// <summary>2 sqrt(a b): the least trace of the two blocks along the orbit.
    /// It is the same wherever on the orbit it is measured.</summary>
    public double? LeastTrace { get; } =
        Multiplied.IsPositive && Divided.IsPositive ? 2 * Math.Sqrt(Multiplied.Value * Divided.Value) : null;

    /// <summary>a / s^2 + b s^2.</summary>
    public double TraceAt(double log2) => (Multiplied.Value * Math.Pow(2, -2 * log2)) + (Divided.Value * Math.Pow(2, 2 * log2));
}
