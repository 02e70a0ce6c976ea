using Wisca.Data.Corpora;
using Wisca.Data.Tokenizers;

namespace Wisca.Evaluation.Flatness;

/// <summary>Windows of a text side by side; the last token of one is the first of the next, as a target and then as an input.</summary>
/// <param name="Ids">[Count x (Length + 1)] token ids, window by window.</param>
/// <param name="Length">Number of tokens that a window predicts.</param>
public sealed record TokenWindows(long[] Ids, int Length)
{
    /// <summary>Number of windows.</summary>
    public int Count => Ids.Length / (Length + 1);

    /// <summary>Number of tokens that are predicted.</summary>
    public long Tokens => (long)Count * Length;

    /// <summary>The largest id.</summary>
    public long Largest { get; } = Ids.DefaultIfEmpty().Max();

    /// <summary>Cuts tokens into windows; a rest that fills none is left out.</summary>
    /// <param name="tokens">The text.</param>
    /// <param name="length">Number of tokens that a window predicts; the whole text is one window where it is shorter.</param>
    /// <exception cref="WiscaException">There are fewer than two tokens.</exception>
    public static TokenWindows Cut(IReadOnlyList<int> tokens, int length)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        if (tokens.Count < 2)
            throw new WiscaException(
                $"the text has {tokens.Count} {(tokens.Count == 1 ? "token" : "tokens")}, expected at least two",
                "give a longer text, or a larger --tokens");
        length = Math.Min(length, tokens.Count - 1);
        int count = (tokens.Count - 1) / length;
        return new TokenWindows(
            [
                .. Enumerable
                    .Range(0, count)
                    .SelectMany(window => Enumerable.Range(window * length, length + 1))
                    .Select(at => (long)tokens[at]),
            ],
            length);
    }

    /// <summary>Reads the beginning of a text, its documents behind each other
    /// with the tokenizer's EOS between them, as training sees them.</summary>
    /// <param name="files">A text file, or whatever else <see cref="CorpusReader.Open"/> takes.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="tokens">How many tokens are to be predicted at most.</param>
    /// <param name="length">Number of tokens that a window predicts.</param>
    /// <param name="cancellation">Ends the reading.</param>
    /// <exception cref="WiscaException">The text cannot be read or is too short.</exception>
    public static TokenWindows Read(
        string files, Tokenizer tokenizer, int tokens, int length, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        var ids = new List<int>();
        foreach (string document in CorpusReader.Open([files]).Documents(cancellation: cancellation))
        {
            if (ids.Count > tokens) break;
            ids.AddRange(tokenizer.Encode(document, addSpecialTokens: false));
            if (tokenizer.EosId is { } end) ids.Add(end);
        }

        return Cut(ids.Count > tokens + 1 ? ids[..(tokens + 1)] : ids, length);
    }
}
