using System.Text.Json;

namespace Wisca.Files;

/// <summary>
/// Parses JSON strictly: no key twice, and strings that are Unicode. (<see cref="JsonDocument"/> accepts half a surrogate pair, and throws
/// where it is read.)
/// </summary>
public static class JsonText
{
    private const int MaxDepth = 64;

    /// <summary>Parses a value.</summary>
    /// <param name="utf8">The JSON, in UTF-8 without a byte order mark.</param>
    /// <param name="name">What messages call the file.</param>
    /// <param name="hint">What to do where it is broken.</param>
    /// <param name="firstLine">The number of the line that the JSON begins with.</param>
    /// <exception cref="WiscaException">It is broken: the message names the line.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> utf8, string name, string hint, long firstLine = 1)
    {
        TextFile.Check(utf8.Span, name, firstLine);
        if (HalfSurrogateLine(utf8.Span) is { } line)
            throw new WiscaException(
                $"{name}:{firstLine + line - 1}: a text that escapes half a surrogate pair, which is not valid Unicode",
                hint);
        try
        {
            return JsonDocument.Parse(utf8, new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = MaxDepth });
        }
        catch (JsonException exception)
        {
            throw new WiscaException($"{name}:{firstLine + (exception.LineNumber ?? 0)}: {Reason(exception)}", hint, exception);
        }
    }

    /// <summary>What is wrong with a JSON text, in words that fit a message: "not valid JSON: ...".</summary>
    /// <param name="exception">What the parser threw.</param>
    public static string Reason(JsonException exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        string message = exception.Message;
        if (message.Contains("uplicate", StringComparison.Ordinal)) return "an object names a key twice";
        if (message.Contains("does not contain any JSON tokens", StringComparison.Ordinal)) return "not valid JSON: nothing is there";
        if (message.Contains("maximum configured depth", StringComparison.Ordinal)) return $"more than {MaxDepth} levels of brackets";
        if (
            message.Contains("Expected depth to be zero", StringComparison.Ordinal)
            || message.Contains("reached end of data", StringComparison.Ordinal))
            return "not valid JSON: it ends too early";
        if (Mistake(exception) is { } mistake) return $"not valid JSON: {mistake}";

        // The first sentence: what follows counts lines in its own way, or speaks to programmers.
        int end = message.IndexOf(". ", StringComparison.Ordinal);
        return $"not valid JSON: {(end < 0 ? message : message[..end]).Split(['\n', '\r'])[0].TrimEnd('.')}";
    }

    /// <summary>The mistakes that people make, in words of JSON; null for any other.</summary>
    internal static string? Mistake(JsonException exception)
    {
        string message = exception.Message;
        if (message.Contains("trailing comma", StringComparison.Ordinal)) return "a comma with nothing behind it";
        if (message.Contains("after a single JSON value", StringComparison.Ordinal)) return "more behind the end of the object";
        if (message.StartsWith("'0xEF' is ", StringComparison.Ordinal)) return "a byte order mark; save it without";
        int quote = message.IndexOf("' is ", StringComparison.Ordinal);
        return (quote < 2 || message[quote - 2] != '\'' ? '\0' : message[quote - 1]) switch
        {
            '/' or '#' => "a comment, which JSON does not have",
            '\'' => "single quotes, where JSON has double ones",
            'N' or 'I' => "NaN, Infinity or None, which JSON does not have",
            'T' or 'F' => "True or False, which JSON writes true and false",
            _ => null,
        };
    }

    /// <summary>The line, from 1, of a text that escapes half a surrogate pair;
    /// null where there is none, or the JSON breaks before.</summary>
    /// <param name="utf8">The JSON.</param>
    internal static long? HalfSurrogateLine(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IndexOf("\\ud"u8) < 0 && utf8.IndexOf("\\uD"u8) < 0) return null;
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = MaxDepth });
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.PropertyName or JsonTokenType.String && reader.ValueIsEscaped) reader.GetString();
            }
        }
        catch (InvalidOperationException)
        {
            return 1 + utf8[..(int)reader.TokenStartIndex].Count((byte)'\n');
        }
        catch (JsonException)
        {
            // Told by the parser.
        }

        return null;
    }
}
