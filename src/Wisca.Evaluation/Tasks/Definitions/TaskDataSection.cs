using Wisca.Settings;

namespace Wisca.Evaluation.Tasks.Definitions;

/// <summary>One container that a task's data may come in.
/// The first of a task's containers whose evaluation file is there is read.</summary>
public sealed record TaskDataSection : ISettingsSection
{
    /// <summary>What the container is called in messages and results.</summary>
    [Setting("What the container is called in messages and results.", Required = true)]
    public string Name { get; init; } = "";

    /// <summary>Where it deviates from what the harness reads; none where it does not.</summary>
    [Setting("Where it deviates from what the harness reads; none where it does not.")]
    public string? Note { get; init; }

    /// <summary>Names of the training file, in order of preference: JSONL, or a JSON array.</summary>
    [Setting("Names of the training file, in order of preference: JSONL, or a JSON array.")]
    public IReadOnlyList<string> Train { get; init; } = [];

    /// <summary>Names of the validation file.</summary>
    [Setting("Names of the validation file.")]
    public IReadOnlyList<string> Validation { get; init; } = [];

    /// <summary>Names of the test file.</summary>
    [Setting("Names of the test file.")]
    public IReadOnlyList<string> Test { get; init; } = [];

    /// <summary>
    /// A file beside the data file with one label a line, which become the field label; {name} stands for the data file's name without its
    /// ending.
    /// </summary>
    [Setting(
        "A file beside the data file with one label a line, which become the field label; {name} stands for the data file's name without "
        + "its ending.")]
    public string? Labels { get; init; }

    /// <summary>What is done to a document before the templates are filled in.</summary>
    [Setting("What is done to a document before the templates are filled in.")]
    public DocumentProcess Process { get; init; }

    /// <summary>The task's doc_to_text where this container has other fields.</summary>
    [Setting("The task's doc_to_text where this container has other fields.")]
    public string? DocToText { get; init; }

    /// <summary>The task's doc_to_choice where this container has other fields.</summary>
    [Setting("The task's doc_to_choice where this container has other fields.")]
    public IReadOnlyList<string>? DocToChoice { get; init; }

    /// <summary>The task's doc_to_target where this container has other fields.</summary>
    [Setting("The task's doc_to_target where this container has other fields.")]
    public string? DocToTarget { get; init; }

    /// <summary>The task's gold where this container has other fields.</summary>
    [Setting("The task's gold where this container has other fields.")]
    public string? Gold { get; init; }

    /// <summary>The names of a split's file.</summary>
    public IReadOnlyList<string> Files(TaskSplit split) => split switch
    {
        TaskSplit.Train => Train,
        TaskSplit.Validation => Validation,
        _ => Test,
    };

    /// <inheritdoc/>
    public object Complete(GivenSettings given)
    {
        ArgumentNullException.ThrowIfNull(given);
        TaskDefinition.CheckTemplates(given, DocToText, DocToChoice, DocToTarget, Gold);
        return this;
    }
}
