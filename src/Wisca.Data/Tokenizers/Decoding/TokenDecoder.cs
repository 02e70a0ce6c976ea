namespace Wisca.Data.Tokenizers.Decoding;

/// <summary>Rewrites each token by itself.</summary>
/// <param name="rewrite">Gets a token and whether it is the first.</param>
internal sealed class TokenDecoder(Func<string, bool, string> rewrite) : IDecoder
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Apply(IReadOnlyList<string> tokens) => [.. tokens.Select((token, index) => rewrite(token, index == 0))];

    /// <summary>Replaces ▁ by a space, and drops it from the first token where encoding had put it in front.</summary>
    public static TokenDecoder Metaspace(char mark, bool dropFirst) =>
        new((token, first) => first && dropFirst ? token.Replace(mark.ToString(), "", StringComparison.Ordinal) : token.Replace(mark, ' '));

    /// <summary>Takes away up to so many of a character at either end of each token.</summary>
    public static TokenDecoder Strip(char content, int start, int stop) => new((token, _) =>
    {
        int begin = 0, end = token.Length;
        while (begin < Math.Min(start, token.Length) && token[begin] == content) begin++;
        while (end > Math.Max(begin, token.Length - stop) && token[end - 1] == content) end--;
        return token[begin..end];
    });

    /// <summary>Joins WordPiece's tokens: a space before each that begins a word, and English put together again where asked to.</summary>
    public static TokenDecoder WordPiece(string prefix, bool cleanup) => new((token, first) =>
    {
        if (!first) token = token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token;
        if (!cleanup) return token;
        foreach (var (apart, together) in Contractions) token = token.Replace(apart, together, StringComparison.Ordinal);
        return token;
    });

    // In the reference's order, which matters.
    private static readonly (string Apart, string Together)[] Contractions =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" do not", " don't"),
        (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ];
}
