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
}
