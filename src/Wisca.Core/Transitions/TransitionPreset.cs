using System.Diagnostics.CodeAnalysis;

namespace Wisca.Transitions;

/// <summary>
/// The granularities that the paper's names of its strategies stand for. Its rows become rotary pairs for queries and keys: single rows
/// are not exact where RoPE acts.
/// </summary>
/// <param name="QueryKey">Granularity of the exchange between W_q and W_k; null for none.</param>
/// <param name="ValueOutput">Granularity of the exchange between W_v and W_o; null for none.</param>
public sealed record TransitionPreset(Granularity? QueryKey, Granularity? ValueOutput)
{
    private static readonly Dictionary<string, TransitionPreset> Named = new(StringComparer.Ordinal)
    {
        ["qk_ten"] = new(Granularity.Tensor, null),
        ["qk_row"] = new(Granularity.Pair, null),
        ["vo_ten"] = new(null, Granularity.Tensor),
        ["vo_row"] = new(null, Granularity.Channel),
    };

    /// <summary>Reads strategies joined with +, such as <c>qk_ten+vo_ten</c>.</summary>
    /// <exception cref="WiscaException">A name is not known, or two are for the same transition.</exception>
    public static TransitionPreset Parse(string names) =>
        TryParse(names, out var preset, out string? mistake) ? preset : throw new WiscaException(mistake);

    /// <summary>Reads strategies joined with +, such as <c>qk_ten+vo_ten</c>.</summary>
    /// <param name="names">The strategies.</param>
    /// <param name="preset">What they stand for.</param>
    /// <param name="mistake">What is wrong where a name is not known, or two are for the same transition.</param>
    /// <returns>True where nothing is wrong.</returns>
    public static bool TryParse(
        string names, [NotNullWhen(true)] out TransitionPreset? preset, [NotNullWhen(false)] out string? mistake)
    {
        ArgumentNullException.ThrowIfNull(names);
        (preset, mistake) = (null, null);
        var parsed = new TransitionPreset(null, null);
        foreach (string name in names.Split('+', StringSplitOptions.TrimEntries))
        {
            if (!Named.TryGetValue(name, out var named))
                mistake = $"'{name}' is not a preset, expected {string.Join(", ", Named.Keys)}, joined with +";
            else if (
                (parsed.QueryKey is not null && named.QueryKey is not null)
                || (parsed.ValueOutput is not null && named.ValueOutput is not null))
                mistake = $"preset {names} names two strategies for {name[..2]}, expected one";
            if (mistake is not null) return false;
            parsed = new(parsed.QueryKey ?? named!.QueryKey, parsed.ValueOutput ?? named!.ValueOutput);
        }

        preset = parsed;
        return true;
    }
}
