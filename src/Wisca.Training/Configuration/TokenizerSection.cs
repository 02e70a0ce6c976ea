using Wisca.Settings;

namespace Wisca.Training.Configuration;

/// <summary>The tokenizer of a run.</summary>
public sealed record TokenizerSection : ISettingsSection
{
    /// <summary>
    /// auto: read from path, or else from model.from, or else trained; train: a byte-level BPE trained on the training text; bytes: one
    /// token a byte.
    /// </summary>
    [Setting(
        "auto: read from path, or else from model.from, or else trained; train: a byte-level BPE trained on the training text; bytes: one "
        + "token a byte.")]
    public TokenizerSource Source { get; init; } = TokenizerSource.Auto;

    /// <summary>A folder with a tokenizer (tokenizer.json, tokenizer.model, or vocab.json and merges.txt).</summary>
    [Setting("A folder with a tokenizer (tokenizer.json, tokenizer.model, or vocab.json and merges.txt).")]
    public string? Path { get; init; }

    /// <summary>Number of tokens of a trained tokenizer, its bytes and special tokens among them.</summary>
    [Setting("Number of tokens of a trained tokenizer, its bytes and special tokens among them.", Minimum = 257, Maximum = 1000000)]
    public int Vocabulary { get; init; } = 2048;

    /// <inheritdoc/>
    public object Complete(GivenSettings given)
    {
        ArgumentNullException.ThrowIfNull(given);
        if (Path is null || Source == TokenizerSource.Auto) return this;
        int order = given.Layer("path").CompareTo(given.Layer("source"));
        if (order > 0) return this with { Source = TokenizerSource.Auto };
        if (order < 0) return this with { Path = null };
        given.Contradict(["path", "source"], "given although tokenizer.source makes a new tokenizer, expected none or source: auto");
        return this;
    }
}
