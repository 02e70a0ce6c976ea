using System.Collections.Immutable;
using System.Text.Json;

namespace Wisca.Adapters;

/// <summary>
/// Which modules an adapter changes, as PEFT's <c>target_modules</c> says it: names (a module is meant whose path is the name or ends with
/// a dot and it), or a pattern of Python's that the whole path must match, or <c>all-linear</c>: every linear module but the output
/// projection.
/// </summary>
public sealed class TargetModules
{
    /// <summary>What stands for every linear module.</summary>
    public const string AllLinearName = "all-linear";

    private readonly PythonPattern? _pattern;

    private TargetModules(ImmutableArray<string> names, PythonPattern? pattern)
    {
        Names = names;
        _pattern = pattern;
    }

    /// <summary>Every linear module but the output projection.</summary>
    public static TargetModules AllLinear { get; } = new([], null) { IsAllLinear = true };

    /// <summary>No module: an adapter of parameters or tokens alone.</summary>
    internal static TargetModules None { get; } = new([], null);

    /// <summary>The names; empty for a pattern and for <see cref="AllLinear"/>.</summary>
    public ImmutableArray<string> Names { get; }

    /// <summary>The pattern; null for names and for <see cref="AllLinear"/>.</summary>
    public string? Pattern { get; private init; }

    /// <summary>True for every linear module.</summary>
    public bool IsAllLinear { get; private init; }

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

    /// <summary>Takes a regular expression of Python's, as PEFT does, or <c>all-linear</c>.</summary>
    /// <exception cref="WiscaException">It is none, or has a construct that is not known here.</exception>
    public static TargetModules Matching(string pattern)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        return Matching(pattern, "target_modules");
    }

    /// <summary>True where a module is meant. For <see cref="AllLinear"/> the caller leaves the output projection out.</summary>
    /// <param name="module">The module's path in the model: <c>model.layers.0.self_attn.q_proj</c>.</param>
    public bool Match(string module)
    {
        ArgumentNullException.ThrowIfNull(module);
        return IsAllLinear || (_pattern?.IsMatch(module) ?? Names.Any(name => EndsWith(module, name)));
    }

    private static TargetModules Matching(string pattern, string what) =>
        pattern.Equals(AllLinearName, StringComparison.OrdinalIgnoreCase)
            ? AllLinear
            : new TargetModules([], PythonPattern.Whole(pattern, $"{what} '{pattern}'")) { Pattern = pattern };

    internal static TargetModules Read(JsonElement element, string file, string key)
    {
        const string hint = "expected a list of names, a pattern or all-linear";
        switch (element.ValueKind)
        {
            case JsonValueKind.String when element.GetString() is { Length: > 0 } pattern:
                return Matching(pattern, $"{file}: {key}");
            case JsonValueKind.Array when element.EnumerateArray().All(name => name.ValueKind == JsonValueKind.String):
                string[] names = [.. element.EnumerateArray().Select(name => name.GetString()!)];
                return names.Length > 0 && !names.Any(string.IsNullOrWhiteSpace)
                    ? Of(names)
                    : throw new WiscaException($"{file}: {key} names no module", hint);
            default:
                throw new WiscaException($"{file}: {key} is neither names nor a pattern", hint);
        }
    }

    /// <summary>True where a module's path is a name, or ends with it behind a dot.</summary>
    /// <param name="module">The path.</param>
    /// <param name="name">The name.</param>
    public static bool EndsWith(string module, string name) =>
        module.EndsWith(name, StringComparison.Ordinal) && (module.Length == name.Length || module[^(name.Length + 1)] == '.');
}
