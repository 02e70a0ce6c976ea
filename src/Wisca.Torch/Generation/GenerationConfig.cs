using System.Globalization;
using System.Text.Json;
using Wisca.Checkpoints;

namespace Wisca.Torch.Generation;

/// <summary>What a model folder says about how its texts are continued: <c>generation_config.json</c>, beside <c>config.json</c>.</summary>
public sealed record GenerationConfig
{
    /// <summary>The file's name.</summary>
    public const string FileName = "generation_config.json";

    private const int MaxText = 40;

    /// <summary>
    /// The tokens that end a text; null where nothing says. Those of generation_config.json stand in place of config.json's, as in
    /// Hugging Face transformers.
    /// </summary>
    public IReadOnlySet<int>? EndTokens { get; init; }

    /// <summary>True where <see cref="EndTokens"/> come from generation_config.json, which then is the only word on it.</summary>
    public bool EndTokensRule { get; init; }

    /// <summary>False where the most probable token is to be taken each time; null where the file does not say.</summary>
    public bool? Sample { get; init; }

    /// <summary>What logits are divided by; null where the file does not say.</summary>
    public double? Temperature { get; init; }

    /// <summary>See <see cref="SamplingOptions.TopK"/>; null where the file does not say, or says 0.</summary>
    public int? TopK { get; init; }

    /// <summary>See <see cref="SamplingOptions.TopP"/>; null where the file does not say.</summary>
    public double? TopP { get; init; }

    /// <summary>See <see cref="SamplingOptions.MinP"/>; null where the file does not say.</summary>
    public double? MinP { get; init; }

    /// <summary>See <see cref="SamplingOptions.RepetitionPenalty"/>; null where the file does not say.</summary>
    public double? RepetitionPenalty { get; init; }

    /// <summary>The most tokens to add; null where the file does not say.</summary>
    public int? MaxNewTokens { get; init; }

    /// <summary>The most tokens of prompt and continuation together, where <see cref="MaxNewTokens"/> is not said.</summary>
    public int? MaxLength { get; init; }

    /// <summary>Keys of the file that would change what is written and have no meaning here, with their values.</summary>
    public IReadOnlyList<string> Unsupported { get; init; } = [];

    /// <summary>Reads what a folder says.</summary>
    /// <param name="checkpoint">The opened model folder.</param>
    /// <exception cref="WiscaException">A file is broken, or a value is out of range; file and key are named.</exception>
    public static GenerationConfig Load(Checkpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        string path = Path.Combine(checkpoint.Folder, FileName);
        var older = EndTokensOf(checkpoint.Config);
        if (!Path.Exists(path)) return new GenerationConfig { EndTokens = older };
        var file = ModelConfig.Load(path, "mend the file, or remove it: then the flags alone say how text is generated");
        var ends = EndTokensOf(file);
        return new GenerationConfig
        {
            EndTokens = ends ?? older,
            EndTokensRule = ends is not null,
            Sample = file.FindBool("do_sample"),
            Temperature = Number(file, "temperature", 0, double.MaxValue, "a number from 0"),
            TopK = file.FindInt("top_k", 0) is var k and > 0 ? k : null,
            // 0 leaves the most probable token alone, and so does the least number above it.
            TopP = Number(file, "top_p", 0, 1, "a number from 0 to 1") is { } share ? Math.Max(share, double.Epsilon) : null,
            MinP = Number(file, "min_p", 0, 1, "a number from 0 to 1"),
            RepetitionPenalty = Number(file, "repetition_penalty", double.Epsilon, double.MaxValue, "a number above 0"),
            MaxNewTokens = file.FindInt("max_new_tokens"),
            MaxLength = file.FindInt("max_length"),
            Unsupported = [.. UnsupportedKeys(file)],
        };
    }

    /// <summary>A number, or several: <c>eos_token_id</c> is both in the wild.</summary>
    private static HashSet<int>? EndTokensOf(ModelConfig file)
    {
        const string key = "eos_token_id";
        if (file.Find(key) is not { } stated) return null;
        var ends = new HashSet<int>();
        foreach (var entry in stated.ValueKind == JsonValueKind.Array ? [.. stated.EnumerateArray()] : (JsonElement[])[stated])
        {
            if (entry.ValueKind == JsonValueKind.Number && entry.TryGetInt32(out int id) && id >= 0) ends.Add(id);

            // What some files write for "none".
            else if (!(entry.ValueKind == JsonValueKind.Number && entry.TryGetInt32(out id) && id == -1))
                throw Wrong(file, key, stated, "a token's number or a list of them");
        }

        return ends.Count > 0 ? ends : null;
    }

    private static double? Number(ModelConfig file, string key, double from, double to, string expected) => file.FindNumber(key) switch
    {
        { } number when number < from || number > to => throw Wrong(file, key, file.Find(key)!.Value, expected),
        var number => number,
    };

    private static WiscaException Wrong(ModelConfig file, string key, JsonElement found, string expected) =>
        new($"{file.File}: {key} is {Text(found)}, expected {expected}", "mend the configuration, or take the key out");

    /// <summary>Keys with a value other than the one that changes nothing.</summary>
    private static IEnumerable<string> UnsupportedKeys(ModelConfig file)
    {
        (string Key, double Neutral)[] numbers =
        [
            ("num_beams", 1), ("num_beam_groups", 1), ("num_return_sequences", 1), ("penalty_alpha", 0), ("typical_p", 1),
            ("epsilon_cutoff", 0), ("eta_cutoff", 0), ("top_h", 0), ("no_repeat_ngram_size", 0), ("min_length", 0), ("min_new_tokens", 0),
            ("guidance_scale", 1), ("diversity_penalty", 0),
        ];
        string[] lists =
        [
            "sequence_bias", "bad_words_ids", "suppress_tokens", "begin_suppress_tokens", "forced_bos_token_id", "forced_eos_token_id",
            "exponential_decay_length_penalty", "stop_strings", "max_time", "force_words_ids", "constraints", "watermarking_config",
            "dola_layers",
        ];
        foreach (var (key, neutral) in numbers)
        {
            if (file.Find(key) is { } value && !(value.ValueKind == JsonValueKind.Number && value.GetDouble() == neutral))
                yield return $"{key} {Text(value)}";
        }

        foreach (string key in lists)
        {
            if (file.Find(key) is { } value && !(value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 0))
                yield return $"{key} {Text(value)}";
        }

        if (file.Find("token_healing") is { ValueKind: JsonValueKind.True }) yield return "token_healing true";
    }

    private static string Text(JsonElement value)
    {
        string text = value.GetRawText().ReplaceLineEndings(" ");
        return text.Length > MaxText ? string.Create(CultureInfo.InvariantCulture, $"{text.AsSpan(0, MaxText)}...") : text;
    }
}
