namespace Wisca.Evaluation.Scoring;

/// <summary>
/// Cuts a document into windows in which each token is predicted once, as the harness does (<c>get_rolling_token_windows</c> and
/// <c>make_disjoint_window</c>).
/// </summary>
internal static class RollingWindows
{
    /// <summary>
    /// The windows: what is given, and what is predicted. Of the first one everything is predicted, behind the prefix token; of those that
    /// follow the last stride tokens, and of the last one what is left, behind as many tokens as there is room for.
    /// </summary>
    /// <param name="tokens">The document.</param>
    /// <param name="prefix">What stands before it.</param>
    /// <param name="length">Tokens that go into the model.</param>
    /// <param name="stride">Predicted tokens of a window; length for windows side by side, which share one token.</param>
    public static IEnumerable<TokenRequest> Cut(int[] tokens, int prefix, int length, int stride)
    {
        for (int begin = 0; begin < tokens.Length;)
        {
            int end = Math.Min(tokens.Length, begin + (begin == 0 ? length : stride)), first = Math.Max(end - length, 0);

            // The token before the window's own predicts its first one.
            int[] context = begin == 0 ? [prefix] : tokens[(first - 1)..begin];
            yield return new TokenRequest(context, tokens[begin..end]);
            begin = end;
        }
    }
}
