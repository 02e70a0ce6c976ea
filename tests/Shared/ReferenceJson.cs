using System.Globalization;
using System.Text;

namespace Wisca.Tests;

/// <summary>
/// JSON by the letter of RFC 8259, to hold the library's reading against: objects become lists of pairs (duplicates kept), arrays lists,
/// strings strings, numbers their text as a <see cref="Number"/>, and true, false and null themselves.
/// </summary>
internal sealed class ReferenceJson
{
    private const int MaxDepth = 64;
    private readonly string _text;
    private int _at, _depth;

    private ReferenceJson(string text) => _text = text;

    public sealed record Number(string Text);

    /// <summary>Parses a document; false where it is not JSON, not UTF-8, or holds half a surrogate pair.</summary>
    public static bool TryParse(ReadOnlySpan<byte> json, out object? value)
    {
        value = null;
        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(json);
        }
        catch (DecoderFallbackException)
        {
            return false;
        }

        var parser = new ReferenceJson(text);
        try
        {
            value = parser.Value();
            parser.White();
            return parser._at == text.Length;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    private object? Value()
    {
        White();
        if (++_depth > MaxDepth) throw new FormatException();
        object? value = Peek() switch
        {
            '{' => Items('{', '}', Pair),
            '[' => Items('[', ']', Value),
            '"' => String(),
            't' => Word("true", true),
            'f' => Word("false", false),
            'n' => Word("null", null),
            _ => ReadNumber(),
        };
        _depth--;
        return value;
    }

    private List<T> Items<T>(char open, char close, Func<T> item)
    {
        Take(open);
        var items = new List<T>();
        White();
        if (Peek() != close)
        {
            items.Add(item());
            for (White(); Peek() == ','; White())
            {
                Take(',');
                items.Add(item());
            }
        }

        Take(close);
        return items;
    }

    private KeyValuePair<string, object?> Pair()
    {
        White();
        string key = String();
        White();
        Take(':');
        return KeyValuePair.Create(key, Value());
    }

    private string String()
    {
        Take('"');
        var text = new StringBuilder();
        while (Peek() != '"')
        {
            char c = Next();
            if (c < ' ') throw new FormatException();
            text.Append(c == '\\' ? Escaped() : c);
        }

        Take('"');
        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1])) i++;
            else if (char.IsSurrogate(text[i])) throw new FormatException();
        }

        return text.ToString();
    }

    private char Escaped()
    {
        char c = Next();
        const string letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
        if (letters.Contains(c)) return meanings[letters.IndexOf(c)];
        if (c != 'u') throw new FormatException();
        string digits = string.Concat(Next(), Next(), Next(), Next());
        return digits.All(char.IsAsciiHexDigit)
            ? (char)ushort.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture)
            : throw new FormatException();
    }

    private Number ReadNumber()
    {
        int start = _at;
        if (Peek() == '-') Next();
        if (Peek() == '0') Next();
        else Digits();
        if (Peek() == '.')
        {
            Next();
            Digits();
        }

        if (Peek() is 'e' or 'E')
        {
            Next();
            if (Peek() is '+' or '-') Next();
            Digits();
        }

        return new Number(_text[start.._at]);
    }

    private void Digits()
    {
        if (!char.IsAsciiDigit(Peek())) throw new FormatException();
        while (char.IsAsciiDigit(Peek())) Next();
    }

    private object? Word(string word, object? meaning)
    {
        foreach (char c in word) Take(c);
        return meaning;
    }

    private void White()
    {
        while (Peek() is ' ' or '\t' or '\n' or '\r') Next();
    }

    private char Peek() => _at < _text.Length ? _text[_at] : '\0';

    private char Next() => _at < _text.Length ? _text[_at++] : throw new FormatException();

    private void Take(char c)
    {
        if (Next() != c) throw new FormatException();
    }
}
