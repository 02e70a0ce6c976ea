using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace Wisca.Transitions;

/// <summary>Which layers are rescaled: <c>all</c>, or indices and ranges such as <c>0-3,8,30-</c>.</summary>
/// <param name="Text">The range as it was given.</param>
public sealed record LayerRange(string Text)
{
    /// <summary>Every layer.</summary>
    public static LayerRange All { get; } = new("all");

    /// <summary>The key of a configuration that gave the range, which messages begin with; null for none.</summary>
    public string? Key { get; init; }

    /// <summary>The layers of a model with <paramref name="layers"/> layers that the range covers, each marked.</summary>
    /// <exception cref="WiscaException">The text is not a range, or goes beyond the model.</exception>
    public ImmutableArray<bool> Resolve(int layers) =>
        TryResolve(layers, out var covered, out string? mistake)
            ? covered
            : throw new WiscaException(Key is null ? mistake : $"{Key}: {mistake}", "layers count from 0");

    /// <summary>The layers of a model with <paramref name="layers"/> layers that the range covers, each marked.</summary>
    /// <param name="layers">Number of layers.</param>
    /// <param name="covered">The layers.</param>
    /// <param name="mistake">What is wrong where the text is not a range, or goes beyond the model.</param>
    /// <returns>True where nothing is wrong.</returns>
    public bool TryResolve(int layers, out ImmutableArray<bool> covered, [NotNullWhen(false)] out string? mistake)
    {
        bool[] marks = new bool[layers];
        (covered, mistake) = ([], null);
        foreach (string part in Text.Split(',', StringSplitOptions.TrimEntries))
        {
            int dash = part.IndexOf('-');
            (string first, string last) = dash < 0 ? (part, part) : (part[..dash], part[(dash + 1)..]);
            int from = 0, to = layers - 1;
            bool valid = part == "all"
                || (
                    (dash >= 0 && first.Length == 0 ? last.Length > 0 : TryIndex(first, out from))
                    && ((dash >= 0 && last.Length == 0) || TryIndex(last, out to)));
            mistake = !valid ? $"'{Text}' is not a range of layers: expected something like 0-3,8,30-"
                : from > to || to >= layers ? $"layers '{part}' are not among the model's layers 0 to {layers - 1}"
                : null;
            if (mistake is not null) return false;
            for (int layer = from; layer <= to; layer++) marks[layer] = true;
        }

        covered = [.. marks];
        return true;
    }

    private static bool TryIndex(string text, out int index) =>
        int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out index);
}
