using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Wisca.Evaluation.Scoring;
using Wisca.Evaluation.Tasks.Definitions;

namespace Wisca.Evaluation.Tasks.Data;

/// <summary>Adds to a document what its templates cannot say.</summary>
internal static partial class DocumentProcessing
{
    private static readonly string[] Possessives = ["my", "his", "her", "our", "their"];
    private static readonly string[] LoweredWords = ["A", "An", "The", "She", "He", "It", "They", "My", "His", "Her", "Their"];

    /// <exception cref="WiscaException">A field is missing or has another form.</exception>
    public static void Apply(DocumentProcess process, JsonObject document)
    {
        switch (process)
        {
            case DocumentProcess.None:
                break;
            case DocumentProcess.HellaSwag:
                document["query"] = CleanWikiHow(
                    $"{Text(document, "activity_label")}: {Text(document, "ctx_a")} {Capitalize(Text(document, "ctx_b"))}");
                document["choices"] = new JsonArray([.. List(document, "endings").Select(ending => (JsonNode?)CleanWikiHow(ending))]);
                break;
            case DocumentProcess.Winograd:
                Winograd(document);
                break;
            case DocumentProcess.FoundryBoolQ:
                string query = Text(document, "query");
                var parts = FoundryQuestion().Match(query);
                if (!parts.Success)
                    throw new WiscaException("the field 'query' has another form, expected 'Passage: ...', a line 'Question: ...?'");
                document["passage"] = parts.Groups["passage"].Value;
                document["question"] = parts.Groups["question"].Value;
                break;
            case DocumentProcess.FoundryCopa:
                FoundryCopa(document);
                break;
            case DocumentProcess.FoundryLambada:
                document["text"] = $"{Text(document, "context")} {Text(document, "continuation")}";
                break;
            case DocumentProcess.FoundryWinograd:
                // What follows the pronoun begins with a space, unless the sentence ends there.
                string rest = Text(document, "continuation");
                document["contexts"] = new JsonArray([.. List(document, "context_options").Select(option => (JsonNode?)option)]);
                document["continuation"] = rest is ['.' or ',' or ';' or '?' or '!' or '\'', ..] ? rest : " " + rest;
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(process), process, null);
        }
    }

    /// <summary>Text without the artefacts of WikiHow, as the harness's HellaSwag cleans it.</summary>
    internal static string CleanWikiHow(string text) =>
        InBrackets()
            .Replace(PythonText.Trim(text).ToString().Replace(" [title]", ". ", StringComparison.Ordinal), "")
            .Replace("  ", " ", StringComparison.Ordinal);

    /// <summary>The first letter in upper case and all others in lower case, as Python's <c>capitalize</c>.</summary>
    internal static string Capitalize(string text) =>
        text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..].ToLowerInvariant();

    private static void Winograd(JsonObject document)
    {
        string text = Text(document, "text").Replace("  ", " ", StringComparison.Ordinal), pronoun = Text(document, "pronoun");
        string location = FieldPath.Find(document, "pronoun_loc")?.ToJsonString() ?? "";
        if (!int.TryParse(location, NumberStyles.None, CultureInfo.InvariantCulture, out int start) || start + pronoun.Length > text.Length)
            throw new WiscaException($"the field 'pronoun_loc' is '{location}', expected the place of the pronoun in the text");
        bool sentenceStarts = start >= 2 && text[start - 2] == '.';
        document["contexts"] = new JsonArray([.. List(document, "options").Select(option => (JsonNode?)(text[..start] + Option(option)))]);
        document["continuation"] = text[(start + pronoun.Length)..];

        string Option(string option)
        {
            if (Possessives.Contains(pronoun.ToLowerInvariant())) option += "'s";
            string first = option.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).FirstOrDefault("");
            return !sentenceStarts && LoweredWords.Contains(first)
                ? option.Replace(first, first.ToLowerInvariant(), StringComparison.Ordinal)
                : option;
        }
    }

    private static void FoundryCopa(JsonObject document)
    {
        string query = Text(document, "query");
        string? question =
            query.EndsWith(", because", StringComparison.Ordinal) ? "cause"
            : query.EndsWith(", therefore", StringComparison.Ordinal) ? "effect"
            : null;
        var choices = List(document, "choices");
        if (question is null || choices.Count != 2)
            throw new WiscaException(
                "the field 'query' or 'choices' has another form, expected '..., because' or '..., therefore' and two choices");
        document["premise"] = query[..query.LastIndexOf(',')] + ".";
        document["question"] = question;
        document["choice1"] = choices[0];
        document["choice2"] = choices[1];
        document["label"] = FieldPath.Find(document, "gold")?.DeepClone();
    }

    private static string Text(JsonObject document, string field) => AsText(FieldPath.Find(document, field), field);

    private static List<string> List(JsonObject document, string field) =>
        FieldPath.Find(document, field) is JsonArray list
            ? [.. list.Select(item => AsText(item, field))]
            : throw new WiscaException($"the field '{field}' is no list");

    private static string AsText(JsonNode? value, string field) =>
        value?.GetValueKind() == JsonValueKind.String
            ? value.GetValue<string>()
            : throw new WiscaException($"the field '{field}' is no text");

    [GeneratedRegex(@"\[.*?\]", RegexOptions.CultureInvariant)]
    private static partial Regex InBrackets();

    // The question is the last line; a passage may have several, even one that looks like a question.
    [GeneratedRegex(
        @"\APassage: (?<passage>.*)\nQuestion: (?<question>[^\n]*)\?\z",
        RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex FoundryQuestion();
}
