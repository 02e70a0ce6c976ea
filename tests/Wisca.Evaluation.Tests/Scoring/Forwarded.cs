using Wisca.Evaluation.Scoring;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;

namespace Wisca.Evaluation.Tests.Scoring;

/// <summary>What answers must be: every request through the model by itself,
/// every logit of it, and log-probabilities in float64 loops.</summary>
internal static class Forwarded
{
    public static LogLikelihood Score(Decoder decoder, int[] context, int[] continuation, int length) =>
        Score(tokens => Reference.Logits(decoder, tokens), context, continuation, length);

    public static LogLikelihood Score(Func<int[], double[][]> forward, int[] context, int[] continuation, int length)
    {
        int[] whole = [.. context, .. continuation];
        int[] fed = [.. whole.TakeLast(length + 1).SkipLast(1)];
        double[][] logits = forward(fed)[^continuation.Length..];
        double sum = 0;
        bool greedy = true;
        for (int i = 0; i < continuation.Length; i++)
        {
            double largest = logits[i].Max();
            sum += logits[i][continuation[i]] - largest - Math.Log(logits[i].Sum(logit => Math.Exp(logit - largest)));
            greedy &= logits[i][continuation[i]] == largest;
        }

        return new LogLikelihood(sum, greedy);
    }
}
