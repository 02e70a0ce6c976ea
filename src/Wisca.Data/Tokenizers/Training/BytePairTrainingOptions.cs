namespace Wisca.Data.Tokenizers.Training;

/// <summary>What <see cref="BytePairTrainer"/> is to make.</summary>
public sealed record BytePairTrainingOptions
{
    /// <summary>The name that GPT-2 gave the end of a text.</summary>
    public const string EndOfText = "<|endoftext|>";

    /// <summary>Tokens in all: 256 bytes, the special tokens, and merges. Default 2048.</summary>
    public int VocabularySize { get; init; } = 2048;

    /// <summary>The token that ends a document, and the first of the special tokens: its id is 256. Default
    /// <c>&lt;|endoftext|&gt;</c>.</summary>
    public string EosToken { get; init; } = EndOfText;

    /// <summary>The token that goes in front of every text; null (the default) for none.</summary>
    public string? BosToken { get; init; }

    /// <summary>Special tokens beside EOS and BOS; their ids follow those, in this order. Default none.</summary>
    public IReadOnlyList<string> SpecialTokens { get; init; } = [];

    /// <summary>A pair that occurs less often than this is not merged. Default 2.</summary>
    public long MinFrequency { get; init; } = 2;

    /// <summary>The longest text in tokens that the model is for, as <c>model_max_length</c> in tokenizer_config.json;
    /// null (the default) for no limit.</summary>
    public int? ModelMaxLength { get; init; }

    /// <summary>Threads that count words; 0 (the default) for one a processor. The result does not depend on it.</summary>
    public int Threads { get; init; }

    /// <summary>Told now and then how far the training is; null (the default) for nobody.</summary>
    public IProgress<BytePairTrainingProgress>? Progress { get; init; }

    /// <summary>All special tokens in the order of their ids, from 256 on, each once.</summary>
    internal string[] AllSpecialTokens() =>
        [.. new[] { EosToken, BosToken }.OfType<string>().Concat(SpecialTokens).Distinct(StringComparer.Ordinal)];
}
