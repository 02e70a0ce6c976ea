using Wisca.Data.Tokenizers;

namespace Wisca.Evaluation.Scoring;

/// <summary>
/// Turns requests into token ids as the Language Model Evaluation Harness does for causal models (<c>TemplateLM._encode_pair</c> of its
/// version 0.4): white space at the end of the context moves to the continuation; the whole text and the context are encoded, and what the
/// whole has behind the length of the context is the continuation.
/// </summary>
/// <remarks>
/// <para>An empty context is the prefix token: BOS, or EOS where there is no BOS.
/// A continuation that begins with that token gives it up to the context.</para>
/// <para>Special tokens: the harness asks its tokenizer for what that adds by default (<c>add_bos_token=None</c>, since 0.4.10), unless the
/// text begins with the prefix token's own text; this is what null stands for here. False is the default of its versions before, which
/// added nothing; true adds always. Documents for perplexity are encoded likewise, although the prefix token stands in front of them
/// already: since 0.4.10 a tokenizer that adds BOS makes the harness predict it, too.</para>
/// </remarks>
public sealed class RequestEncoder
{
    private readonly Tokenizer _tokenizer;
    private readonly bool? _addSpecialTokens;
    private readonly int? _prefix;
    private readonly string? _prefixText;

    /// <summary>Creates an encoder.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="addSpecialTokens">Whether what the tokenizer puts around a text is added; null for the way of the harness.</param>
    public RequestEncoder(Tokenizer tokenizer, bool? addSpecialTokens = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        _tokenizer = tokenizer;
        _addSpecialTokens = addSpecialTokens;
        _prefix = tokenizer.BosId ?? tokenizer.EosId;
        _prefixText = _prefix is { } id ? tokenizer.FindToken(id) : null;
    }

    /// <summary>What stands before a text that nothing precedes.</summary>
    /// <exception cref="WiscaException">The tokenizer has neither BOS nor EOS.</exception>
    public int PrefixToken => _prefix
        ?? throw new WiscaException(
            $"{_tokenizer.Source}: no BOS and no EOS token, one of which stands before a text",
            "name bos_token or eos_token in tokenizer_config.json");

    /// <summary>The ids of a request; the continuation has none where its text adds none to the context's
    /// (<see cref="ScoringCounts.JoinedContinuations"/>).</summary>
    /// <exception cref="WiscaException">The context is empty, and the tokenizer has neither BOS nor EOS.</exception>
    public (int[] Context, int[] Continuation) Encode(LogLikelihoodRequest request)
    {
        var (context, whole) = Texts(request);
        return Split(request.Context.Length == 0, Context(context), Whole(request.Context.Length == 0, whole));
    }

    /// <summary>
    /// Where a tokenizer joins the end of the context and the whole continuation into one token, the split leaves nothing to score, and the
    /// harness stops. An extension then: what counts begins where the ids of context and whole text part, with the joined token.
    /// </summary>
    /// <returns>The ids; null where context and whole text do not differ.</returns>
    internal TokenRequest? EncodeJoined(LogLikelihoodRequest request)
    {
        var (text, wholeText) = Texts(request);
        if (request.Context.Length == 0) return null;
        int[] context = Context(text), whole = Whole(emptyContext: false, wholeText);
        int shared = context.AsSpan().CommonPrefixLength(whole);
        if (shared == whole.Length) return null;
        return new TokenRequest(shared == 0 ? [PrefixToken] : whole[..shared], whole[shared..]);
    }

    /// <summary>The ids of a document, what goes behind the prefix token.</summary>
    public int[] EncodeDocument(string text) => Context(text);

    /// <summary>Encodes many requests; a context that comes again is encoded once.</summary>
    internal TokenRequest[] Encode(IReadOnlyList<LogLikelihoodRequest> requests, CancellationToken cancellation)
    {
        var contexts = new Dictionary<string, int[]>(StringComparer.Ordinal);
        var encoded = new TokenRequest[requests.Count];
        for (int i = 0; i < encoded.Length; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            bool empty = requests[i].Context.Length == 0;
            var (context, whole) = Texts(requests[i]);
            if (!contexts.TryGetValue(context, out int[]? ids)) contexts.Add(context, ids = empty ? [] : Context(context));
            var (given, counted) = Split(empty, ids, Whole(empty, whole));
            encoded[i] = new TokenRequest(given, counted);
        }

        return encoded;
    }

    private static (string Context, string Whole) Texts(LogLikelihoodRequest request) =>
        (request.Context[..PythonText.TrimmedLength(request.Context)], request.Context + request.Continuation);

    private int[] Context(string text) => text.Length == 0 ? [] : EncodeText(text);

    private int[] Whole(bool emptyContext, string text) =>
        emptyContext ? _tokenizer.Encode(text, addSpecialTokens: false) : EncodeText(text);

    private (int[] Context, int[] Continuation) Split(bool emptyContext, int[] context, int[] whole)
    {
        if (emptyContext && whole.Length > 0 && whole[0] == PrefixToken) return (whole[..1], whole[1..]);
        int[] continuation = context.Length < whole.Length ? whole[context.Length..] : [];
        return (context.Length == 0 ? [PrefixToken] : context, continuation);
    }

    private int[] EncodeText(string text)
    {
        bool begun = _addSpecialTokens is null && _prefixText is not null && text.StartsWith(_prefixText, StringComparison.Ordinal);
        return _tokenizer.Encode(text, !begun && (_addSpecialTokens ?? true));
    }
}
