namespace Wisca.Settings;

/// <summary>
/// Describes one key of a configuration, the only place that does: reading, printing and testing go by it. The key is the property's name
/// in snake case, the type is the property's, the default is what the property holds in a new record, and a nullable property may be
/// <c>none</c>. A property whose type has settings of its own is a section.
/// </summary>
/// <param name="documentation">What the key means, in whole sentences.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SettingAttribute(string documentation) : Attribute
{
    /// <summary>What the key means, in whole sentences.</summary>
    public string Documentation => documentation;

    /// <summary>The key, where it is not the property's name in snake case.</summary>
    public string? Key { get; init; }

    /// <summary>The least value of a number (of each, in a list).</summary>
    public double Minimum { get; init; } = double.NegativeInfinity;

    /// <summary>The greatest value of a number (of each, in a list).</summary>
    public double Maximum { get; init; } = double.PositiveInfinity;

    /// <summary>True where <see cref="Minimum"/> itself is not allowed.</summary>
    public bool Above { get; init; }

    /// <summary>True where <see cref="Maximum"/> itself is not allowed.</summary>
    public bool Below { get; init; }

    /// <summary>How many items a list must have; 0 for any number.</summary>
    public int Count { get; init; }

    /// <summary>A regular expression that text must match as a whole; null for any text that is not empty.</summary>
    public string? Pattern { get; init; }

    /// <summary>What <see cref="Pattern"/> accepts, in words.</summary>
    public string? Expected { get; init; }

    /// <summary>The value of an enumeration that is not offered here; null where all are.</summary>
    public object? Except { get; init; }

    /// <summary>True where there is no default: the key must be given.</summary>
    public bool Required { get; init; }

    /// <summary>True for a short way of saying what other keys say: it is read, but the others are printed.</summary>
    public bool Shorthand { get; init; }

    /// <summary>True where it says how the same is computed, and not what: a hash leaves it out.</summary>
    public bool Unhashed { get; init; }
}
