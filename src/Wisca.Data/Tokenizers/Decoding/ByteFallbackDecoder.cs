using System.Buffers;
using System.Globalization;
using System.Text;

namespace Wisca.Data.Tokenizers.Decoding;

/// <summary>Turns runs of byte tokens (&lt;0xC3&gt; &lt;0xA9&gt;) into text.</summary>
/// <param name="keepValidParts">
/// What a run that is no UTF-8 gives: U+FFFD for each of its bytes (tokenizer.json),
/// or only for those outside whole characters (SentencePiece).
/// </param>
internal sealed class ByteFallbackDecoder(bool keepValidParts) : IDecoder
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Apply(IReadOnlyList<string> tokens)
    {
        var result = new List<string>(tokens.Count);
        var run = new List<byte>();
        foreach (string token in tokens)
        {
            if (TryParse(token, out byte value))
            {
                run.Add(value);
                continue;
            }

            Flush(run, result);
            result.Add(token);
        }

        Flush(run, result);
        return result;
    }

    private static bool TryParse(string token, out byte value)
    {
        value = 0;
        return token is ['<', '0', 'x', _, _, '>'] && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, null, out value);
    }

    private void Flush(List<byte> run, List<string> result)
    {
        if (run.Count == 0) return;
        var text = new StringBuilder();
        bool valid = true;
        for (ReadOnlySpan<byte> rest = run.ToArray(); !rest.IsEmpty;)
        {
            bool whole = Rune.DecodeFromUtf8(rest, out var rune, out int length) == OperationStatus.Done;
            valid &= whole;
            text.Append(whole ? rune : Rune.ReplacementChar);
            rest = rest[(whole ? length : 1)..];
        }

        result.Add(valid || keepValidParts ? text.ToString() : new string('\uFFFD', run.Count));
        run.Clear();
    }
}
