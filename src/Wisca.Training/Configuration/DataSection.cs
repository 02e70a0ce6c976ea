using Wisca.Data.Corpora;
using Wisca.Settings;

namespace Wisca.Training.Configuration;

/// <summary>The text of a run.</summary>
public sealed record DataSection : ISettingsSection
{
    /// <summary>
    /// Training text: files, folders and patterns such as data/*.jsonl.gz (plain text, JSONL, Parquet, gzip or zstd of these), or stories
    /// for the built-in stories.
    /// </summary>
    [Setting(
        "Training text: files, folders and patterns such as data/*.jsonl.gz (plain text, JSONL, Parquet, gzip or zstd of these), or "
        + "stories for the built-in stories.")]
    public IReadOnlyList<string> Train { get; init; } = ["stories"];

    /// <summary>Held-out text of its own, in the same forms.</summary>
    [Setting("Held-out text of its own, in the same forms.")]
    public IReadOnlyList<string> Validation { get; init; } = [];

    /// <summary>Share of the training documents that is held out instead; none for 0.01 where there is no validation text.</summary>
    [Setting(
        "Share of the training documents that is held out instead; none for 0.01 where there is no validation text.", Minimum = 0,
        Above = true, Maximum = 0.5)]
    public double? HeldOut { get; init; }

    /// <summary>
    /// Test text, in the same forms: held-out text that is evaluated apart, so that what is chosen by the validation text can be reported
    /// on another.
    /// </summary>
    [Setting(
        "Test text, in the same forms: held-out text that is evaluated apart, so that what is chosen by the validation text can be "
        + "reported on another.")]
    public IReadOnlyList<string> Test { get; init; } = [];

    /// <summary>
    /// Share of the held-out documents that is test text instead; none for no test text but the one that data.test names.
    /// </summary>
    [Setting(
        "Share of the held-out documents that is test text instead; none for no test text but the one that data.test names.", Minimum = 0,
        Above = true, Maximum = 1, Below = true)]
    public double? TestShare { get; init; }

    /// <summary>The field of JSONL and Parquet that holds the text.</summary>
    [Setting("The field of JSONL and Parquet that holds the text.")]
    public string Field { get; init; } = "text";

    /// <summary>The line that separates documents in plain text; none for one document a file.</summary>
    [Setting("The line that separates documents in plain text; none for one document a file.")]
    public string? Separator { get; init; } = CorpusReaderOptions.EndOfText;

    /// <summary>Number of tokens of a sequence.</summary>
    [Setting("Number of tokens of a sequence.", Minimum = 2, Maximum = 1048576)]
    public int SequenceLength { get; init; } = 256;

    /// <summary>
    /// Folder of the tokenised text, which runs with the same text and tokenizer may share; none for one in the run folder.
    /// </summary>
    [Setting("Folder of the tokenised text, which runs with the same text and tokenizer may share; none for one in the run folder.")]
    public string? Cache { get; init; }

    /// <summary>Number of built-in stories, where train or validation names them.</summary>
    [Setting("Number of built-in stories, where train or validation names them.", Minimum = 1)]
    public int Stories { get; init; } = 20000;

    /// <summary>Share of the training documents that is held out; 0 where there is validation text.</summary>
    public double HeldOutShare => Validation.Count > 0 ? 0 : HeldOut ?? 0.01;

    /// <inheritdoc/>
    public object Complete(GivenSettings given)
    {
        ArgumentNullException.ThrowIfNull(given);
        if (Train.Count == 0) given.Contradict(["train"], "an empty list, expected at least one file, folder, pattern or stories");
        int heldOut = given.Decide("held_out", HeldOut is not null, "validation", Validation.Count > 0),
            test = given.Decide("test_share", TestShare is not null, "test", Test.Count > 0);
        return this with
        {
            HeldOut = heldOut < 0 ? null : HeldOut,
            Validation = heldOut > 0 ? [] : Validation,
            TestShare = test < 0 ? null : TestShare,
            Test = test > 0 ? [] : Test,
        };
    }
}
