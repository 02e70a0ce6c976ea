using Wisca.Data.Instructions;
using Wisca.Settings;

namespace Wisca.Training.Configuration;

/// <summary>The examples of a fine-tuning.</summary>
public sealed record InstructionSection : ISettingsSection
{
    /// <summary>Examples to train on: files, folders and patterns, each a JSON array, JSON lines or Parquet. They must be given.</summary>
    [Setting("Examples to train on: files, folders and patterns, each a JSON array, JSON lines or Parquet. They must be given.")]
    public IReadOnlyList<string> Train { get; init; } = [];

    /// <summary>Held-out examples of their own, in the same forms.</summary>
    [Setting("Held-out examples of their own, in the same forms.")]
    public IReadOnlyList<string> Validation { get; init; } = [];

    /// <summary>
    /// Share of the training examples that is held out instead, by a hash of what they say; none for 0.05 where there are no validation
    /// examples.
    /// </summary>
    [Setting(
        "Share of the training examples that is held out instead, by a hash of what they say; "
        + "none for 0.05 where there are no validation examples.",
        Minimum = 0, Above = true, Maximum = 0.5)]
    public double? HeldOut { get; init; }

    /// <summary>
    /// Test examples, in the same forms: held-out ones that are evaluated apart, so that what is chosen by the validation examples can be
    /// reported on others.
    /// </summary>
    [Setting(
        "Test examples, in the same forms: held-out ones that are evaluated apart, so that what is chosen by the validation examples can "
        + "be reported on others.")]
    public IReadOnlyList<string> Test { get; init; } = [];

    /// <summary>
    /// Share of the held-out examples that are test examples instead, by another hash of what they say; none for no test examples but those
    /// that data.test names.
    /// </summary>
    [Setting(
        "Share of the held-out examples that are test examples instead, by another hash of what they say; none for no test examples but "
        + "those that data.test names.",
        Minimum = 0, Above = true, Maximum = 1, Below = true)]
    public double? TestShare { get; init; }

    /// <summary>
    /// alpaca: instruction, input and output (or context and response); completion: prompt and completion; chat: messages with role and
    /// content, or conversations with from and value; auto goes by the keys.
    /// </summary>
    [Setting(
        "alpaca: instruction, input and output (or context and response); completion: prompt and completion; chat: messages with role and "
        + "content, or conversations with from and value; auto goes by the keys.")]
    public InstructionFormat Format { get; init; }

    /// <summary>The key of the prompt in format completion.</summary>
    [Setting("The key of the prompt in format completion.")]
    public string PromptKey { get; init; } = "prompt";

    /// <summary>The key of the completion in format completion.</summary>
    [Setting("The key of the completion in format completion.")]
    public string CompletionKey { get; init; } = "completion";

    /// <summary>
    /// How a conversation becomes text: plain, question, alpaca, chatml, llama-2, llama-3 or gemma; none for alpaca, plain or chatml, by
    /// the format. A tokenizer's own chat_template is not interpreted.
    /// </summary>
    [Setting(
        "How a conversation becomes text: plain, question, alpaca, chatml, llama-2, llama-3 or gemma; none for alpaca, plain or chatml, "
        + "by the format. A tokenizer's own chat_template is not interpreted.")]
    public string? Template { get; init; }

    /// <summary>Greatest number of tokens of an example, and of a packed row.</summary>
    [Setting("Greatest number of tokens of an example, and of a packed row.", Minimum = 2, Maximum = 1048576)]
    public int SequenceLength { get; init; } = 512;

    /// <summary>
    /// Whether several examples share a row, each blind to the others and with positions of its own; else each has a row, filled up to the
    /// longest of its batch.
    /// </summary>
    [Setting(
        "Whether several examples share a row, each blind to the others and with positions of its own; else each has a row, filled up to "
        + "the longest of its batch.")]
    public bool Packing { get; init; } = true;

    /// <summary>What becomes of longer examples: truncate cuts their end, drop leaves them out. Both are counted.</summary>
    [Setting("What becomes of longer examples: truncate cuts their end, drop leaves them out. Both are counted.")]
    public OverlongExamples TooLong { get; init; }

    /// <summary>What becomes of examples with an empty answer (or null): error, or drop to leave them out, which is counted.</summary>
    [Setting("What becomes of examples with an empty answer (or null): error, or drop to leave them out, which is counted.")]
    public EmptyAnswers Empty { get; init; }

    /// <summary>Share of the training examples that is held out; 0 where there are validation examples.</summary>
    public double HeldOutShare => Validation.Count > 0 ? 0 : HeldOut ?? 0.05;

    /// <inheritdoc/>
    public object Complete(GivenSettings given)
    {
        ArgumentNullException.ThrowIfNull(given);
        int heldOut = given.Decide("held_out", HeldOut is not null, "validation", Validation.Count > 0),
            test = given.Decide("test_share", TestShare is not null, "test", Test.Count > 0);
        if (Template is not null && InstructionTemplate.All.All(template => template.Name != Template))
            given.Contradict(
                ["template"],
                $"'{Template}', expected one of {string.Join(", ", InstructionTemplate.All.Select(template => template.Name))}, or none; "
                + "a tokenizer's own chat_template is not interpreted");
        return this with
        {
            HeldOut = heldOut < 0 ? null : HeldOut,
            Validation = heldOut > 0 ? [] : Validation,
            TestShare = test < 0 ? null : TestShare,
            Test = test > 0 ? [] : Test,
        };
    }
}
