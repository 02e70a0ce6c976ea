using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Evaluation.Scoring;

namespace Wisca.Evaluation.Tasks.Definitions;

/// <summary>A function that a template may apply to a value.</summary>
internal sealed class TemplateFilter
{
    /// <summary>Every filter, by its name.</summary>
    public static readonly IReadOnlyDictionary<string, TemplateFilter> Known = new Dictionary<string, TemplateFilter>
    {
        ["trim"] = OfText(0, (text, _) => PythonText.Trim(text).ToString()),
        ["trim_start"] = OfText(0, (text, _) => text[text.TakeWhile(PythonText.IsSpace).Count()..]),
        ["trim_end"] = OfText(0, (text, _) => text[..PythonText.TrimmedLength(text)]),
        ["lower"] = OfText(0, (text, _) => text.ToLowerInvariant()),
        ["lower_first"] = OfText(0, (text, _) => text.Length == 0 ? text : char.ToLowerInvariant(text[0]) + text[1..]),
        ["drop_last"] = OfText(0, (text, _) => text.Length == 0 ? text : text[..^1]),
        ["replace"] = OfText(2, (text, arguments) => text.Replace(arguments[0], arguments[1], StringComparison.Ordinal)),
        ["before"] = OfText(1, (text, arguments) => text[..Place(text, arguments[0])]),
        ["after"] = OfText(1, (text, arguments) => text[(Place(text, arguments[0]) + arguments[0].Length)..]),
        ["before_last"] = OfText(1, (text, arguments) => text[..Math.Max(0, text.LastIndexOf(arguments[0], StringComparison.Ordinal))]),
        ["after_last"] = OfText(
            1,
            (text, arguments) =>
                text.LastIndexOf(arguments[0], StringComparison.Ordinal) is >= 0 and var at ? text[(at + arguments[0].Length)..] : text),
        ["choose"] = new(
            "an even number, each value with what it becomes", count => count > 0 && count % 2 == 0,
            (value, arguments, _) => Choose(Text(value), arguments)),
        ["index"] = new(
            "1, the path of a list",
            count => count == 1,
            (value, arguments, document) => Index(Text(value), arguments[0], document)),
        ["plus"] = new("1, a whole number", count => count == 1, (value, arguments, _) => Whole(Text(value)) + Whole(arguments[0])),
    };

    private readonly Func<int, bool> _accepts;
    private readonly Func<JsonNode?, string[], JsonObject, JsonNode?> _apply;

    private TemplateFilter(string arguments, Func<int, bool> accepts, Func<JsonNode?, string[], JsonObject, JsonNode?> apply) =>
        (Arguments, _accepts, _apply) = (arguments, accepts, apply);

    /// <summary>How many arguments it has, in words.</summary>
    public string Arguments { get; }

    public bool Accepts(int arguments) => _accepts(arguments);

    /// <exception cref="WiscaException">The value has another form.</exception>
    public JsonNode? Apply(JsonNode? value, string[] arguments, JsonObject document) => _apply(value, arguments, document);

    private static TemplateFilter OfText(int arguments, Func<string, string[], string> apply) =>
        new(arguments.ToString(CultureInfo.InvariantCulture), count => count == arguments, (value, given, _) => apply(Text(value), given));

    private static string Text(JsonNode? value) => value?.GetValueKind() switch
    {
        JsonValueKind.String => value.GetValue<string>(),
        JsonValueKind.Number => value.ToJsonString(),
        _ => throw new WiscaException("a filter is applied to what is not text"),
    };

    private static int Place(string text, string mark) =>
        text.IndexOf(mark, StringComparison.Ordinal) is >= 0 and var at ? at : throw new WiscaException($"the text has no '{mark}'");

    private static string Choose(string value, string[] pairs)
    {
        for (int i = 0; i < pairs.Length; i += 2)
        {
            if (pairs[i] == value) return pairs[i + 1];
        }

        throw new WiscaException($"the value is '{value}', expected one of {string.Join(", ", pairs.Where((_, i) => i % 2 == 0))}");
    }

    private static int Index(string value, string path, JsonObject document)
    {
        if (FieldPath.Find(document, path) is not JsonArray list) throw new WiscaException($"the field '{path}' is no list");
        for (int i = 0; i < list.Count; i++)
        {
            if (Text(list[i]) == value) return i;
        }

        throw new WiscaException($"the gold label '{value}' is none of {string.Join(", ", list.Select(Text))}");
    }

    private static int Whole(string text) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number)
            ? number
            : throw new WiscaException($"the value is '{text}', expected a whole number");
}
