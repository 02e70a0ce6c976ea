using System.Text;
using System.Text.Json;
using Wisca.Files;

namespace Wisca.Data.Instructions;

/// <summary>Reads tools and calls of them, which data gives as JSON or as a text that holds JSON.</summary>
internal static class ToolReader
{
    private const string Hint = "expected objects with name and arguments, or a text that holds such JSON";

    /// <summary>The tools of an example.</summary>
    public static IReadOnlyList<string> Tools(InstructionFields fields)
    {
        const string hint = "expected a list of objects, or a text that holds one as JSON";
        if (fields.Find("tools") is not { } given || IsBlank(given)) return [];
        using var parsed = given.ValueKind == JsonValueKind.String ? Parse(given.GetString()!, $"{fields.Place}: 'tools'", hint) : null;
        var list = parsed?.RootElement ?? given;
        return list.ValueKind == JsonValueKind.Array
            ? [.. list.EnumerateArray().Select(PythonJson.Write)]
            : throw new WiscaException($"{fields.Place}: 'tools' is no list", hint);
    }

    /// <summary>The calls in a message's <c>tool_calls</c>.</summary>
    public static IReadOnlyList<InstructionToolCall> Calls(InstructionFields fields)
    {
        if (fields.Find("tool_calls") is not { } given || IsBlank(given)) return [];
        using var parsed =
            given.ValueKind == JsonValueKind.String ? Parse(given.GetString()!, $"{fields.Place}: 'tool_calls'", Hint) : null;
        var list = parsed?.RootElement ?? given;
        return list.ValueKind == JsonValueKind.Array
            ? [.. list.EnumerateArray().Select(call => Call(call, fields.Place))]
            : throw new WiscaException($"{fields.Place}: 'tool_calls' is no list", Hint);
    }

    /// <summary>The calls of a message that is nothing else, as ShareGPT has them.</summary>
    public static IReadOnlyList<InstructionToolCall> Calls(string text, string place)
    {
        using var parsed = Parse(text, $"{place}: a function_call", Hint);
        return parsed.RootElement.ValueKind == JsonValueKind.Array
            ? [.. parsed.RootElement.EnumerateArray().Select(call => Call(call, place))]
            : [Call(parsed.RootElement, place)];
    }

    private static InstructionToolCall Call(JsonElement call, string place)
    {
        // OpenAI wraps it once more.
        if (call.ValueKind == JsonValueKind.Object && call.TryGetProperty("function", out var function)) call = function;
        if (
            call.ValueKind != JsonValueKind.Object
            || !call.TryGetProperty("name", out var name)
            || name.ValueKind != JsonValueKind.String)
            throw new WiscaException($"{place}: a tool call without a name", Hint);
        string arguments = !call.TryGetProperty("arguments", out var given) || IsBlank(given) ? "{}"
            : given.ValueKind == JsonValueKind.String ? given.GetString()!
            : PythonJson.Write(given);
        return new InstructionToolCall(name.GetString()!, arguments);
    }

    private static bool IsBlank(JsonElement value) =>
        value.ValueKind == JsonValueKind.Null || (value.ValueKind == JsonValueKind.String && string.IsNullOrWhiteSpace(value.GetString()));

    private static JsonDocument Parse(string text, string place, string hint) => JsonText.Parse(Encoding.UTF8.GetBytes(text), place, hint);
}
