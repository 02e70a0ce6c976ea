using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Wisca.Data.Instructions;

/// <summary>Writes JSON with the spaces that Python writes, which is what templates of transformers show to models.</summary>
internal static class PythonJson
{
    /// <summary>A value on one line, its keys in their order, what is not ASCII as it is.</summary>
    public static string Write(JsonElement value)
    {
        var text = new StringBuilder();
        Write(text, value);
        return text.ToString();
    }

    /// <summary>A text in quotes.</summary>
    public static string Quote(string value)
    {
        var text = new StringBuilder();
        Quote(text, value);
        return text.ToString();
    }

    private static void Write(StringBuilder text, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                string before = "{";
                foreach (var property in value.EnumerateObject())
                {
                    text.Append(before);
                    Quote(text, property.Name);
                    text.Append(": ");
                    Write(text, property.Value);
                    before = ", ";
                }

                text.Append(before == "{" ? "{}" : "}");
                break;
            case JsonValueKind.Array:
                before = "[";
                foreach (var item in value.EnumerateArray())
                {
                    text.Append(before);
                    Write(text, item);
                    before = ", ";
                }

                text.Append(before == "[" ? "[]" : "]");
                break;
            case JsonValueKind.String:
                Quote(text, value.GetString()!);
                break;
            default:
                text.Append(value.GetRawText());
                break;
        }
    }

    private static void Quote(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (char c in value)
        {
            _ = c switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                '\b' => text.Append("\\b"),
                '\f' => text.Append("\\f"),
                < ' ' => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => text.Append(c),
            };
        }

        text.Append('"');
    }
}
