using System.Text;
using Wisca.Data.Tokenizers.Models;

namespace Wisca.Data.Tokenizers.Pipelines;

/// <summary>
/// What SentencePiece does to a text before its model sees it: a table of replacements (<c>precompiled_charsmap</c>), spaces at
/// the ends and double ones taken out or not, one put in front or not, and all of them spelled ▁.
/// </summary>
internal sealed class SentencePieceNormalizer
{
    private const char Mark = '\u2581';

    private readonly SentencePieceModel _model;
    private readonly CharacterMap _map;
    private readonly byte[][] _kept;

    /// <param name="model">The model.</param>
    /// <param name="file">The model's file name, for error messages.</param>
    /// <exception cref="WiscaException">The table is damaged.</exception>
    public SentencePieceNormalizer(SentencePieceModel model, string file)
    {
        _model = model;
        _map = new CharacterMap(model.Charsmap, $"{file}: normalizer_spec.precompiled_charsmap");

        // What the user defined is not touched by the table.
        _kept =
        [
            .. model.Pieces.Where(piece => piece.Type == SentencePieceType.UserDefined).Select(piece => Encoding.UTF8.GetBytes(piece.Text)),
        ];
    }

    public string Normalize(string text)
    {
        string mapped = _map.IsEmpty ? text : Map(text);
        if (_model.RemoveExtraWhitespaces) mapped = WithoutExtraSpaces(mapped);
        if (mapped.Length == 0) return mapped;
        if (_model.AddDummyPrefix) mapped = " " + mapped;
        return mapped.Replace(' ', Mark);
    }

    private static string WithoutExtraSpaces(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (char letter in text)
        {
            if (letter != ' ' || (result.Length > 0 && result[^1] != ' ')) result.Append(letter);
        }

        // SentencePiece looks at the end last, when spaces and marks look alike.
        return result.ToString().TrimEnd(' ', Mark);
    }

    /// <summary>Replaces, from left to right, the longest entries of the table.</summary>
    private string Map(string text)
    {
        var result = new StringBuilder(text.Length);
        for (ReadOnlySpan<byte> rest = Encoding.UTF8.GetBytes(text); !rest.IsEmpty;)
        {
            int kept = LongestKept(rest);
            if (kept == 0 && _map.Find(rest, longest: true, out string replacement) is > 0 and int length)
            {
                result.Append(replacement);
                rest = rest[length..];
                continue;
            }

            if (kept == 0) Rune.DecodeFromUtf8(rest, out _, out kept);
            result.Append(Encoding.UTF8.GetString(rest[..kept]));
            rest = rest[kept..];
        }

        return result.ToString();
    }

    private int LongestKept(ReadOnlySpan<byte> text)
    {
        int longest = 0;
        foreach (byte[] piece in _kept)
        {
            if (piece.Length > longest && text.StartsWith(piece)) longest = piece.Length;
        }

        return longest;
    }
}
