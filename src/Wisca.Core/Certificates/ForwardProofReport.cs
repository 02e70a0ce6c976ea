using System.Globalization;

namespace Wisca.Certificates;

/// <summary>What two models, A and B, made of the same tokens.</summary>
/// <param name="Tokens">Number of tokens.</param>
/// <param name="Predictions">Number of next tokens that were predicted, over which the perplexities are.</param>
/// <param name="MaxDifference">The largest |logit of A - logit of B|.</param>
/// <param name="MaxLogit">The largest |logit| of A.</param>
/// <param name="Divergence">The mean over positions of KL(A || B) between the next-token distributions,
/// in nats, accumulated in float64.</param>
/// <param name="PerplexityA">exp of A's mean negative log likelihood of the next token.</param>
/// <param name="PerplexityB">The same for B.</param>
/// <param name="BitIdentical">True where every logit of B has the bits of A's.</param>
/// <param name="NonFiniteA">Number of A's logits that are NaN or infinite; what is measured means nothing if there are any.</param>
/// <param name="NonFiniteB">Number of B's logits that are NaN or infinite.</param>
/// <param name="Rounding">
/// The difference in units of what rounding does to this model on these tokens; null where the logits are bit-identical or not finite, and
/// nothing had to be measured.
/// </param>
/// <param name="Precision">The type that was computed in, all numbers here: <c>float32</c>, <c>float64</c>, <c>native</c>.</param>
public sealed record ForwardProofReport(
    int Tokens,
    int Predictions,
    double MaxDifference,
    double MaxLogit,
    double Divergence,
    double PerplexityA,
    double PerplexityB,
    bool BitIdentical,
    long NonFiniteA,
    long NonFiniteB,
    RoundingNoise? Rounding,
    string Precision)
{
    /// <summary>True where all logits are finite, and bit-identical or equal to the rounding of weights.</summary>
    public bool Equivalent => Reason is null;

    /// <summary>Why the models are not equivalent; null where they are.</summary>
    public string? Reason
    {
        get
        {
            if (NonFiniteA + NonFiniteB > 0) return $"NaN or infinite logits: {NonFiniteA} of A, {NonFiniteB} of B";
            if (BitIdentical || Rounding is not { Explains: false } rounding) return null;
            return string.Create(
                CultureInfo.InvariantCulture,
                $"logits differ by up to {MaxDifference:0.0e+00}, {Times(rounding.Ratio)} what rounding the changed weights does, "
                + $"{Times(rounding.WorstRatio)} at the worst position; allowed are {RoundingNoise.Allowed:0} and "
                + $"{RoundingNoise.AllowedWorst:0} times");

            static string Times(double ratio) =>
                double.IsFinite(ratio) ? string.Create(CultureInfo.InvariantCulture, $"{ratio:0.#} times") : "infinitely many times";
        }
    }
}
