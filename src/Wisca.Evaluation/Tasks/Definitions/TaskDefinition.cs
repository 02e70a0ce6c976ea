using Wisca.Settings;

namespace Wisca.Evaluation.Tasks.Definitions;

/// <summary>
/// What a task is: where its documents are and how each becomes requests. Keys are named as in the Language Model Evaluation Harness where
/// they mean the same. Templates hold fields of the document as <c>{{field}}</c>; see docs/adding-a-task.md.
/// </summary>
public sealed record TaskDefinition : ISettingsSection
{
    /// <summary>The task's name.</summary>
    [Setting(
        "The task's name.", Required = true, Pattern = "[A-Za-z0-9_.-]+(\\{member\\})?",
        Expected = "letters, digits, _, . and -, and {member} in a group")]
    public string Task { get; init; } = "";

    /// <summary>What the task asks, in a few words.</summary>
    [Setting("What the task asks, in a few words.")]
    public string? About { get; init; }

    /// <summary>The version of the task; for the harness's tasks the harness's.</summary>
    [Setting("The version of the task; for the harness's tasks the harness's.", Minimum = 0)]
    public double Version { get; init; }

    /// <summary>The group that this template describes.</summary>
    [Setting("The group that this template describes.")]
    public TaskGroupSection Group { get; init; } = new();

    /// <summary>
    /// multiple_choice: several continuations of one context; partial: one continuation behind several contexts; loglikelihood: one of
    /// each.
    /// </summary>
    [Setting(
        "multiple_choice: several continuations of one context; partial: one continuation behind several contexts; loglikelihood: one of "
        + "each.")]
    public TaskOutputType OutputType { get; init; }

    /// <summary>The context (not in partial scoring); none for the beginning of a text.</summary>
    [Setting("The context (not in partial scoring); none for the beginning of a text.")]
    public string? DocToText { get; init; }

    /// <summary>The choices: a template each, or one that is a list. Continuations; in partial scoring contexts.</summary>
    [Setting("The choices: a template each, or one that is a list. Continuations; in partial scoring contexts.")]
    public IReadOnlyList<string>? DocToChoice { get; init; }

    /// <summary>The continuation in partial scoring and loglikelihood.</summary>
    [Setting("The continuation in partial scoring and loglikelihood.")]
    public string? DocToTarget { get; init; }

    /// <summary>The index of the gold choice, from 0.</summary>
    [Setting("The index of the gold choice, from 0.")]
    public string? Gold { get; init; }

    /// <summary>What stands between context and choice; none for nothing.</summary>
    [Setting("What stands between context and choice; none for nothing.")]
    public string? TargetDelimiter { get; init; } = " ";

    /// <summary>What stands behind each few-shot example.</summary>
    [Setting("What stands behind each few-shot example.")]
    public string? FewshotDelimiter { get; init; } = "\n\n";

    /// <summary>Text before the few-shot examples, or before the context where there are none.</summary>
    [Setting("Text before the few-shot examples, or before the context where there are none.")]
    public string? Description { get; init; }

    /// <summary>The split that is evaluated.</summary>
    [Setting("The split that is evaluated.")]
    public TaskSplit Evaluation { get; init; } = TaskSplit.Test;

    /// <summary>The split that few-shot examples are drawn from.</summary>
    [Setting("The split that few-shot examples are drawn from.")]
    public TaskSplit Fewshot { get; init; } = TaskSplit.Train;

    /// <summary>The number of few-shot examples where nothing else is asked for; 0 stays 0 whatever is asked for; none for 0.</summary>
    [Setting(
        "The number of few-shot examples where nothing else is asked for; 0 stays 0 whatever is asked for; none for 0.", Minimum = 0,
        Maximum = 1000)]
    public int? NumFewshot { get; init; }

    /// <summary>What is reported.</summary>
    [Setting("What is reported.")]
    public IReadOnlyList<TaskMetric> Metrics { get; init; } = [TaskMetric.Accuracy];

    /// <summary>The containers that the data may come in, in order of preference.</summary>
    [Setting("The containers that the data may come in, in order of preference.")]
    public IReadOnlyList<TaskDataSection> Data { get; init; } = [];

    /// <inheritdoc/>
    public object Complete(GivenSettings given)
    {
        ArgumentNullException.ThrowIfNull(given);
        CheckTemplates(given, DocToText, DocToChoice, DocToTarget, Gold);
        if (Data.Count == 0) given.Contradict(["data"], "no container, expected at least one");
        foreach (var data in Data)
        {
            string where = $"of container '{data.Name}'";
            if (data.Files(Evaluation).Count == 0)
                given.Contradict(["data", "evaluation"], $"{where} names no file of the split that is evaluated");
            bool target = (data.DocToTarget ?? DocToTarget) is not null;
            if (target != (OutputType != TaskOutputType.MultipleChoice))
                given.Contradict(
                    ["doc_to_target", "output_type"],
                    $"{where} is {(target ? "given, expected none" : "missing, expected a template")} for this output_type");
            bool choices = (data.DocToChoice ?? DocToChoice) is { Count: > 0 } && (data.Gold ?? Gold) is not null;
            if (!choices && OutputType != TaskOutputType.LogLikelihood)
                given.Contradict(
                    ["doc_to_choice", "gold", "output_type"],
                    $"{where} is missing, expected choices and gold for this output_type");
        }

        if (OutputType == TaskOutputType.Partial && DocToText is not null)
            given.Contradict(["doc_to_text", "output_type"], "given, expected none: in partial scoring the choices are the contexts");
        if (Metrics.Count == 0) given.Contradict(["metrics"], "an empty list, expected at least one metric");
        var wrong = OutputType == TaskOutputType.LogLikelihood ? TaskMetric.NormalizedAccuracy : TaskMetric.Perplexity;
        if (Metrics.Contains(wrong)) given.Contradict(["metrics", "output_type"], $"{wrong.Name()} is not defined for this output_type");
        bool template = Task.Contains(Member, StringComparison.Ordinal);
        if (template != Group.Members.Count > 0 || template != Group.Name is not null)
            given.Contradict(
                ["task", "group.name", "group.members"],
                "a group's name, its members and {member} in the task's name go together");
        return this;
    }

    /// <summary>The tasks that this definition describes: itself, or one for each member of its group.</summary>
    public IEnumerable<TaskDefinition> Expand()
    {
        if (Group.Members.Count == 0) return [this];
        return Group.Members.Select(member => this with
        {
            Task = Task.Replace(Member, member, StringComparison.Ordinal),
            Data =
            [
                .. Data.Select(data =>
                    data with
                    {
                        Train = Named(data.Train, member),
                        Validation = Named(data.Validation, member),
                        Test = Named(data.Test, member),
                    }),
            ],
        });
    }

    internal static void CheckTemplates(GivenSettings given, string? text, IReadOnlyList<string>? choices, string? target, string? gold)
    {
        Check("doc_to_text", text is null ? [] : [text]);
        Check("doc_to_choice", choices ?? []);
        Check("doc_to_target", target is null ? [] : [target]);
        Check("gold", gold is null ? [] : [gold]);

        void Check(string key, IReadOnlyList<string> templates)
        {
            foreach (string template in templates)
            {
                if (!Template.TryParse(template, out _, out string? fault)) given.Contradict([key], fault);
            }
        }
    }

    private const string Member = "{member}";

    private static IReadOnlyList<string> Named(IReadOnlyList<string> files, string member) =>
        [.. files.Select(file => file.Replace(Member, member, StringComparison.Ordinal))];
}
