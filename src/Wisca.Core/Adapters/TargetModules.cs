using System.Collections.Immutable;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Wisca.Adapters;

/// <summary>
/// Which modules an adapter changes, as PEFT's <c>target_modules</c> says it: names (a module is meant whose path is the name or ends with
/// a dot and it), or a pattern that the whole path must match, or <c>all-linear</c>: every linear module but the output projection.
/// </summary>
public sealed class TargetModules
{
    /// <summary>What stands for every linear module.</summary>
    public const string AllLinearName = "all-linear";

    private readonly Regex? _pattern;

    private TargetModules(ImmutableArray<string> names, Regex? pattern)
    {
        Names = names;
        _pattern = pattern;
    }

    /// <summary>Every linear module but the output projection.</summary>
    public static TargetModules AllLinear { get; } = new([], null);

    /// <summary>The names; empty for a pattern and for <see cref="AllLinear"/>.</summary>
    public ImmutableArray<string> Names { get; }

    /// <summary>The pattern; null for names and for <see cref="AllLinear"/>.</summary>
    public string? Pattern { get; private init; }

    /// <summary>True for every linear module.</summary>
    public bool IsAllLinear => Names.IsEmpty && _pattern is null;

    /// <summary>Takes names.</summary>
    /// <param name="names">At least one: <c>q_proj</c>, <c>layers.0.mlp.up_proj</c>.</param>
    /// <exception cref="WiscaException">There is none, or one is empty.</exception>
    public static TargetModules Of(params IEnumerable<string> names)
    {
        ImmutableArray<string> all = [.. names];
        if (all.IsEmpty || all.Any(string.IsNullOrWhiteSpace))
            throw new WiscaException("target_modules names no module", "name the projections to adapt, such as q_proj and v_proj");
        return new TargetModules(all, null);
    }

    /// <summary>Takes a regular expression, or <c>all-linear</c>.</summary>
    /// <exception cref="WiscaException">It is not a regular expression.</exception>
    public static TargetModules Matching(string pattern)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        if (pattern.Equals(AllLinearName, StringComparison.OrdinalIgnoreCase)) return AllLinear;
        return new TargetModules([], Compile($@"\A(?:{pattern})\z", $"target_modules '{pattern}'")) { Pattern = pattern };
    }

    /// <summary>True where a module is meant. For <see cref="AllLinear"/> the caller leaves the output projection out.</summary>
    /// <param name="module">The module's path in the model: <c>model.layers.0.self_attn.q_proj</c>.</param>
    public bool Match(string module)
    {
        ArgumentNullException.ThrowIfNull(module);
        return IsAllLinear || (_pattern?.IsMatch(module) ?? Names.Any(name => EndsWith(module, name)));
    }

    internal static TargetModules Read(JsonElement element, string file, string key)
    {
        const string hint = "expected a list of names, a pattern or all-linear";
        try
        {
            return element.ValueKind switch
            {
                JsonValueKind.String when element.GetString() is { Length: > 0 } pattern => Matching(pattern),
                JsonValueKind.Array when element.EnumerateArray().All(name => name.ValueKind == JsonValueKind.String) => Of(
                    element.EnumerateArray().Select(name => name.GetString()!)),
                _ => throw new WiscaException($"{key} is neither names nor a pattern", hint),
            };
        }
        catch (WiscaException exception)
        {
            throw new WiscaException($"{file}: {exception.Message}", exception.Hint ?? hint, exception);
        }
    }

    /// <summary>True where a module's path is a name or ends in it, whole parts between dots only.</summary>
    /// <param name="module">The module's path.</param>
    /// <param name="name">Its last part, or last parts.</param>
    public static bool EndsWith(string module, string name) =>
        module.EndsWith(name, StringComparison.Ordinal) && (module.Length == name.Length || module[^(name.Length + 1)] == '.');

    /// <summary>A pattern from a file: what takes longer than a second to match is refused instead of waited for.</summary>
    internal static Regex Compile(string pattern, string what)
    {
        try
        {
            return new Regex(pattern, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));
        }
        catch (ArgumentException exception)
        {
            throw new WiscaException($"{what} is not a regular expression: {exception.Message}", "mend the pattern", exception);
        }
    }
}
