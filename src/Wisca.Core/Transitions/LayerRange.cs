using System.Collections.Immutable;

namespace Wisca.Transitions;

/// <summary>Which layers are rescaled: <c>all</c>, or indices and ranges such as <c>0-3,8,30-</c>.</summary>
/// <param name="Text">The range as it was given.</param>
public sealed record LayerRange(string Text)
{
    /// <summary>Every layer.</summary>
    public static LayerRange All { get; } = new("all");

    /// <summary>The layers of a model with <paramref name="layers"/> layers that the range covers, each marked.</summary>
    /// <exception cref="FormatException">The text is not a range, or goes beyond the model.</exception>
    public ImmutableArray<bool> Resolve(int layers)
    {
        bool[] covered = new bool[layers];
        foreach (string part in Text.Split(',', StringSplitOptions.TrimEntries))
        {
            int dash = part.IndexOf('-');
            (string first, string last) = dash < 0 ? (part, part) : (part[..dash], part[(dash + 1)..]);
            int from = 0, to = layers - 1;
            bool valid = part == "all"
                || (
                    (dash >= 0 && first.Length == 0 ? last.Length > 0 : TryIndex(first, out from))
                    && ((dash >= 0 && last.Length == 0) || TryIndex(last, out to)));
            if (!valid) throw new FormatException($"'{Text}' is not a range of layers: expected something like 0-3,8,30-");
            if (from > to || to >= layers) throw new FormatException($"layers '{part}' are not among the model's layers 0 to {layers - 1}");
            for (int layer = from; layer <= to; layer++) covered[layer] = true;
        }

        return [.. covered];
    }

    private static bool TryIndex(string text, out int index) =>
        int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out index);
}
