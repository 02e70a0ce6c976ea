using System.Reflection;
using System.Text.Json.Serialization;

namespace Wisca.Evaluation.Tasks.Definitions;

/// <summary>The names that enumerations have in definitions and results.</summary>
internal static class TaskNames
{
    /// <summary>The key of a value, as <see cref="JsonStringEnumMemberNameAttribute"/> gives it.</summary>
    public static string Key<T>(this T value)
        where T : struct, Enum => typeof(T).GetField(value.ToString())!.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()!.Name;
}
