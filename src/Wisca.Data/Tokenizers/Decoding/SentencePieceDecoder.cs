using System.Text;
using Wisca.Data.Tokenizers.Models;

namespace Wisca.Data.Tokenizers.Decoding;

/// <summary>Joins pieces as SentencePiece does: ▁ is a space, but not the one that encoding puts in front of a text.</summary>
/// <param name="model">The model.</param>
/// <param name="unknown">The unknown token.</param>
internal sealed class SentencePieceDecoder(SentencePieceModel model, string unknown) : IDecoder
{
    private const char Mark = '\u2581';

    /// <inheritdoc/>
    public IReadOnlyList<string> Apply(IReadOnlyList<string> tokens)
    {
        var text = new StringBuilder();
        bool prefixWaits = model.AddDummyPrefix || model.RemoveExtraWhitespaces;
        foreach (string token in tokens)
        {
            prefixWaits &= text.Length == 0;
            if (token == unknown)
            {
                text.Append(model.UnknownSurface);
                continue;
            }

            bool drop = prefixWaits && token.StartsWith(Mark);
            text.Append(token, drop ? 1 : 0, token.Length - (drop ? 1 : 0));

            // Without extra spaces no text begins with one, so that all of them go.
            prefixWaits &= !drop || model.RemoveExtraWhitespaces;
        }

        return [text.Replace(Mark, ' ').ToString()];
    }
}
