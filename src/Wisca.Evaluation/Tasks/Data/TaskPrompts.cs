using System.Text.Json.Nodes;
using Wisca.Evaluation.Scoring;
using Wisca.Evaluation.Tasks.Definitions;

namespace Wisca.Evaluation.Tasks.Data;

/// <summary>Turns documents of one container into requests, as the harness's <c>ConfigurableTask</c> does.</summary>
internal sealed class TaskPrompts
{
    private readonly TaskDefinition _definition;
    private readonly Template? _text, _target, _gold;
    private readonly IReadOnlyList<Template> _choices;
    private readonly string _delimiter;

    public TaskPrompts(TaskDefinition definition, TaskDataSection data)
    {
        _definition = definition;
        _text = Parse(data.DocToText ?? definition.DocToText);
        _target = Parse(data.DocToTarget ?? definition.DocToTarget);
        _gold = Parse(data.Gold ?? definition.Gold);
        _choices = [.. (data.DocToChoice ?? definition.DocToChoice ?? []).Select(Template.Parse)];
        _delimiter = definition.TargetDelimiter ?? "";

        static Template? Parse(string? template) => template is null ? null : Template.Parse(template);
    }

    /// <summary>The requests of a document.</summary>
    /// <param name="id">The document's number.</param>
    /// <param name="document">The document, processed.</param>
    /// <param name="before">Description and few-shot examples.</param>
    /// <exception cref="WiscaException">A field is missing, a label out of range, or a continuation empty.</exception>
    public TaskItem Item(int id, JsonObject document, string before)
    {
        if (_definition.OutputType == TaskOutputType.LogLikelihood)
        {
            string only = Continuation(Target(document));
            return new TaskItem(id, document, [new LogLikelihoodRequest(before + Text(document), only)], 0, [Length(only)], only);
        }

        var choices = Choices(document);
        int gold = Gold(document, choices.Count);
        if (_definition.OutputType == TaskOutputType.MultipleChoice)
        {
            string context = before + Text(document);
            return new TaskItem(
                id,
                document,
                [.. choices.Select(choice => new LogLikelihoodRequest(context, _delimiter + Continuation(choice)))],
                gold,
                [.. choices.Select(Length)],
                $"{gold}");
        }

        string target = Target(document), continuation = _delimiter + Continuation(target);
        return new TaskItem(
            id,
            document,
            [.. choices.Select(choice => new LogLikelihoodRequest(before + choice, continuation))],
            gold,
            [.. choices.Select(Length)],
            target);
    }

    /// <summary>A document with its answer, as it stands before the question in few-shot prompts.</summary>
    /// <exception cref="WiscaException">A field is missing, or a label out of range.</exception>
    public string Example(JsonObject document)
    {
        var choices = Choices(document);
        var (context, answer) = _definition.OutputType switch
        {
            TaskOutputType.LogLikelihood => (Text(document), Target(document)),
            TaskOutputType.MultipleChoice => (Text(document), choices[Gold(document, choices.Count)]),
            _ => (choices[Gold(document, choices.Count)], Target(document)),
        };
        return context + _delimiter + answer + _definition.FewshotDelimiter;
    }

    /// <summary>Number of characters as Python counts them: code points, not UTF-16 units.</summary>
    private static int Length(string text) => text.EnumerateRunes().Count();

    private static string Continuation(string text) =>
        string.IsNullOrWhiteSpace(text) ? throw new WiscaException("the continuation is empty, expected text to score") : text;

    private string Text(JsonObject document) => _text?.Text(document) ?? "";

    private string Target(JsonObject document) => _target!.Text(document);

    private List<string> Choices(JsonObject document) => [.. _choices.SelectMany(choice => choice.Texts(document))];

    private int Gold(JsonObject document, int count)
    {
        int gold = _gold!.Index(document);
        return gold >= 0 && gold < count
            ? gold
            : throw new WiscaException($"the gold label is {gold}, expected 0 to {count - 1}: there are {count} choices");
    }
}
