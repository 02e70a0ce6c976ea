using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Wisca.Evaluation.Tasks.Definitions;

/// <summary>
/// Text with fields of a document in it: <c>{{path | filter('argument')}}</c>. A path goes down by names and, in brackets, by indices; a
/// name applied to a list is applied to each of its items. No conditions and no loops: what needs those is a <see cref="DocumentProcess"/>.
/// </summary>
internal sealed partial class Template
{
    private readonly IReadOnlyList<Part> _parts;

    private Template(IReadOnlyList<Part> parts) => _parts = parts;

    /// <summary>Reads a template; where it is malformed, says why.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out Template? template, [NotNullWhen(false)] out string? fault)
    {
        template = null;
        var parts = new List<Part>();
        int at = 0;
        while (text.IndexOf("{{", at, StringComparison.Ordinal) is >= 0 and var open)
        {
            if (open > at) parts.Add(new Part(text[at..open], null));
            int close = text.IndexOf("}}", open, StringComparison.Ordinal);
            if (close < 0)
            {
                fault = "'{{' without '}}', expected {{field}}";
                return false;
            }

            string inner = text[(open + 2)..close];
            if ((fault = ParseExpression(inner, out var expression)) is not null) return false;
            parts.Add(new Part(inner.Trim(), expression));
            at = close + 2;
        }

        if (at < text.Length) parts.Add(new Part(text[at..], null));
        fault = null;
        template = new Template(parts);
        return true;
    }

    /// <summary>Reads a template that is known to be well formed.</summary>
    public static Template Parse(string text) =>
        TryParse(text, out var template, out string? fault) ? template : throw new ArgumentException(fault, nameof(text));

    /// <summary>The text for a document.</summary>
    /// <exception cref="WiscaException">A field is missing or has another form.</exception>
    public string Text(JsonObject document)
    {
        var text = new StringBuilder();
        foreach (var part in _parts)
            text.Append(part.Expression is null ? part.Text : Write(part.Expression.Evaluate(document), part.Text));
        return text.ToString();
    }

    /// <summary>The items of a template that is one list and nothing else; else its text alone.</summary>
    /// <exception cref="WiscaException">A field is missing or has another form.</exception>
    public IEnumerable<string> Texts(JsonObject document) =>
        _parts is [{ Expression: { } only } part] && only.Evaluate(document) is JsonArray list
            ? list.Select(item => Write(item, part.Text))
            : [Text(document)];

    /// <summary>A number: a whole one, text of one, or 1 and 0 for true and false.</summary>
    /// <exception cref="WiscaException">It is none.</exception>
    public int Index(JsonObject document)
    {
        string text = _parts is [{ Expression: { } only } part] ? Write(only.Evaluate(document), part.Text) : Text(document);
        return text switch
        {
            "True" => 1,
            "False" => 0,
            _ when int.TryParse(text.Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int index) => index,
            _ => throw new WiscaException($"the gold label is '{text}', expected a whole number"),
        };
    }

    /// <summary>A value as text; truth as Python writes it.</summary>
    private static string Write(JsonNode? value, string what) => value?.GetValueKind() switch
    {
        JsonValueKind.String => value.GetValue<string>(),
        JsonValueKind.Number => value.ToJsonString(),
        JsonValueKind.True => "True",
        JsonValueKind.False => "False",
        var kind => throw new WiscaException(
            $"{{{{{what}}}}} is {(kind is null ? "null" : kind == JsonValueKind.Array ? "a list" : "an object")}, expected text"),
    };

    private static string? ParseExpression(string text, out Expression? expression)
    {
        expression = null;
        var match = ExpressionForm().Match(text);
        if (!match.Success) return $"'{{{{{text}}}}}' is malformed, expected {{{{path.to.field | filter('argument')}}}}";
        var filters = new List<(TemplateFilter Filter, string[] Arguments)>();
        for (int i = 0; i < match.Groups["name"].Captures.Count; i++)
        {
            string name = match.Groups["name"].Captures[i].Value;
            if (!TemplateFilter.Known.TryGetValue(name, out var filter))
                return $"no filter is called '{name}', expected one of {string.Join(", ", TemplateFilter.Known.Keys)}";
            string[] arguments =
            [
                .. ArgumentForm()
                    .Matches(match.Groups["arguments"].Captures[i].Value)
                    .Select(argument => argument.Groups["text"].Success ? argument.Groups["text"].Value : argument.Value),
            ];
            if (!filter.Accepts(arguments.Length)) return $"filter '{name}' has {arguments.Length} arguments, expected {filter.Arguments}";
            filters.Add((filter, arguments));
        }

        expression = new Expression(match.Groups["path"].Value, filters);
        return null;
    }

    [GeneratedRegex(
        """^\s*(?<path>[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*|\[\d+\])*)\s*"""
        + """(\|\s*(?<name>[a-z_]+)(?<arguments>(\(\s*('[^']*'|[\w.\[\]+-]+)\s*(,\s*('[^']*'|[\w.\[\]+-]+)\s*)*\))?)\s*)*$""",
        RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant)]
    private static partial Regex ExpressionForm();

    [GeneratedRegex("""'(?<text>[^']*)'|[\w.\[\]+-]+""", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant)]
    private static partial Regex ArgumentForm();

    /// <param name="Text">The text itself, or the source of the expression.</param>
    /// <param name="Expression">The expression; null for plain text.</param>
    private sealed record Part(string Text, Expression? Expression);

    private sealed class Expression(string path, IReadOnlyList<(TemplateFilter Filter, string[] Arguments)> filters)
    {
        public JsonNode? Evaluate(JsonObject document)
        {
            var value = FieldPath.Find(document, path);
            foreach (var (filter, arguments) in filters) value = filter.Apply(value, arguments, document);
            return value;
        }
    }
}
