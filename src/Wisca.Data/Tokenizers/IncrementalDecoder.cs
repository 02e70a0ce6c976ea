namespace Wisca.Data.Tokenizers;

/// <summary>
/// Turns tokens into text as they come. A character may take several tokens, and what a token says may depend on those before it, so the
/// whole text is decoded each time and what is new is handed out, up to the last whole character.
/// </summary>
/// <param name="tokenizer">The tokenizer.</param>
/// <param name="prompt">The tokens that the text begins with.</param>
public sealed class IncrementalDecoder(Tokenizer tokenizer, IReadOnlyList<int> prompt)
{
    private const char Unfinished = '\uFFFD';
    private readonly List<int> _ids = [.. prompt];
    private int _written;

    /// <summary>The text of the prompt.</summary>
    public string Begin() => Rest(whole: false);

    /// <summary>The text that a token adds; empty where it does not end a character.</summary>
    public string Add(int token)
    {
        _ids.Add(token);
        return Rest(whole: false);
    }

    /// <summary>What has been held back.</summary>
    public string End() => Rest(whole: true);

    private string Rest(bool whole)
    {
        string text = tokenizer.Decode(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_ids));
        int end = whole ? text.Length : text.AsSpan().TrimEnd(Unfinished).Length;
        if (end <= _written) return "";
        string rest = text[_written..end];
        _written = end;
        return rest;
    }
}
