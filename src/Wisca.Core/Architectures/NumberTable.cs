namespace Wisca.Architectures;

/// <summary>A whole number that a configuration gives: the first of some keys that is there, or what stands in for it.</summary>
/// <param name="Keys">Dotted paths into <c>config.json</c>, tried in order; of a list, its length counts.</param>
/// <param name="Default">
/// A number, <c>heads</c>, <c>head_dim</c> or <c>hidden_size / heads</c>, where no key is there; without it a key is required.
/// </param>
/// <param name="IfNull">
/// The same, where a key is there and null; without it null counts as absent. Configuration classes differ here: to many of them an
/// absent <c>num_key_value_heads</c> is the class's own number, and null is the number of heads.
/// </param>
public sealed record NumberTable(IReadOnlyList<string> Keys, string? Default = null, string? IfNull = null)
{
    /// <summary>Says what is wrong with it; null where nothing is.</summary>
    /// <param name="field">The field that it stands in.</param>
    /// <param name="symbols">The names that may stand for a number there.</param>
    internal string? Check(string field, params ReadOnlySpan<string> symbols)
    {
        if (Keys.Any(string.IsNullOrEmpty)) return $"{field}.keys has an empty key";
        if (Keys.Count == 0 && Default is null) return $"{field} has neither keys nor a default";
        if (Keys.Count == 0 && IfNull is not null) return $"{field}.if_null needs keys";
        foreach (string? value in (string?[])[Default, IfNull])
        {
            if (value is null || symbols.Contains(value) || (int.TryParse(value, out int number) && number >= 1)) continue;
            return $"{field}: '{value}' is not {string.Join(", ", [.. symbols, "a number in quotes"])}";
        }

        return null;
    }
}
