using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Wisca;

/// <summary>
/// The names of enumerations' values, which the command line, YAML, JSON and messages share: what a value's
/// <see cref="JsonStringEnumMemberNameAttribute"/> says, and otherwise its name in code in snake case.
/// </summary>
public static class EnumNames
{
    /// <summary>The name of a value.</summary>
    /// <typeparam name="T">The enumeration.</typeparam>
    /// <param name="value">One of its values.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is none of them.</exception>
    public static string Name<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields)] T>(this T value)
        where T : struct, Enum
    {
        foreach (var entry in Table<T>.Entries)
        {
            if (entry.Value.Equals(value)) return entry.Name;
        }

        throw new ArgumentOutOfRangeException(nameof(value), value, $"no value of {typeof(T).Name}");
    }

    /// <summary>Finds the value that a name stands for; upper and lower case are not the same.</summary>
    /// <typeparam name="T">The enumeration.</typeparam>
    /// <param name="name">The name.</param>
    /// <param name="value">The value; the enumeration's default where there is none.</param>
    /// <returns>True where a value has this name.</returns>
    public static bool TryParse<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields)] T>(string name, out T value)
        where T : struct, Enum
    {
        foreach (var entry in Table<T>.Entries)
        {
            if (entry.Name != name) continue;
            value = entry.Value;
            return true;
        }

        value = default;
        return false;
    }

    /// <summary>The value that a name stands for.</summary>
    /// <typeparam name="T">The enumeration.</typeparam>
    /// <param name="name">The name.</param>
    /// <exception cref="WiscaException">No value has it; the message lists those there are.</exception>
    public static T Parse<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields)] T>(string name)
        where T : struct, Enum =>
        TryParse<T>(name, out var value)
            ? value
            : throw new WiscaException($"'{name}', expected one of {string.Join(", ", Table<T>.Entries.Select(entry => entry.Name))}");

    /// <summary>Names and values in the order of their declaration.</summary>
    /// <param name="type">The enumeration.</param>
    public static IEnumerable<(string Name, object Value)> Of(
        [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields)] Type type)
    {
        ArgumentNullException.ThrowIfNull(type);
        return type.GetFields(BindingFlags.Public | BindingFlags.Static)
            .Select(member =>
                (
                    member.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()?.Name
                        ?? JsonNamingPolicy.SnakeCaseLower.ConvertName(member.Name),
                    member.GetValue(null)!));
    }

    private static class Table<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields)] T>
        where T : struct, Enum
    {
        public static readonly (string Name, T Value)[] Entries = [.. Of(typeof(T)).Select(entry => (entry.Name, (T)entry.Value))];
    }
}
