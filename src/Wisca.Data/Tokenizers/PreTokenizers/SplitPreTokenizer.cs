using Wisca.Data.Tokenizers.Unicode;

namespace Wisca.Data.Tokenizers.PreTokenizers;

/// <summary>Splits at the matches of a pattern.</summary>
/// <param name="findMatches">Finds where.</param>
/// <param name="behavior">What becomes of the matches.</param>
/// <param name="invert">Whether the text between the matches counts as the match instead.</param>
internal sealed class SplitPreTokenizer(MatchFinder findMatches, SplitBehavior behavior, bool invert) : IPreTokenizer
{
    /// <inheritdoc/>
    public void Apply(ReadOnlySpan<char> piece, bool atStart, PieceBuffer output)
    {
        var matches = output.Matches;
        matches.Clear();
        findMatches(piece, matches);

        int start = 0, end = 0; // of the run that the next stretch may still join
        bool? last = null;
        for (int i = 0; i <= 2 * matches.Count; i++)
        {
            // Stretches between matches and matches take turns.
            bool isMatch = (i % 2 == 1) != invert;
            int stretchEnd = i == 2 * matches.Count ? piece.Length : i % 2 == 0 ? matches[i / 2].Start : matches[i / 2].End;
            if (stretchEnd == end) continue;
            if (!Joins(last, isMatch))
            {
                Close(piece[start..end], last, output);
                start = end;
            }

            end = stretchEnd;
            last = isMatch;
        }

        Close(piece[start..end], last, output);
    }

    private bool Joins(bool? last, bool isMatch) => behavior switch
    {
        SplitBehavior.Contiguous => last == isMatch,
        SplitBehavior.MergedWithPrevious => isMatch && last == false,
        SplitBehavior.MergedWithNext => !isMatch && last == true,
        _ => false,
    };

    private void Close(ReadOnlySpan<char> run, bool? isMatch, PieceBuffer output)
    {
        if (behavior != SplitBehavior.Removed || isMatch == false) output.Add(run);
    }
}
