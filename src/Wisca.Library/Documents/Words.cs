using System.Diagnostics.CodeAnalysis;

namespace Wisca.Library.Documents;

/// <summary>The words of enumerations.</summary>
internal static class Words
{
    /// <summary>The value that a word stands for.</summary>
    /// <exception cref="RequestException">None has it.</exception>
    public static T Parse<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields)] T>(
        string key, string? word, T otherwise)
        where T : struct, Enum =>
        word is null ? otherwise
        : EnumNames.TryParse<T>(word, out var value) ? value
        : throw new RequestException(
            $"{key} is '{word}', expected one of {string.Join(", ", EnumNames.Of(typeof(T)).Select(entry => entry.Name))}");
}
