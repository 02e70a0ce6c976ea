using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Data.Tokenizers.PreTokenizers;
using Wisca.Files;

namespace Wisca.Data.Tokenizers.Training;

/// <summary>A byte-level BPE tokenizer made by <see cref="BytePairTrainer"/>.
/// Bytes are the ids 0 to 255, then come special tokens, then merged ones.</summary>
public sealed class TrainedTokenizer
{
    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly string[] _specials;
    private readonly BytePairTrainingOptions _options;

    internal TrainedTokenizer(
        IEnumerable<string> merged, IReadOnlyList<(string Left, string Right)> merges, string[] specials, BytePairTrainingOptions options)
    {
        var bytes = Enumerable.Range(0, 256).Select(value => ByteLevelAlphabet.ToChar((byte)value).ToString());
        Tokens = [.. bytes, .. specials, .. merged];
        Merges = merges;
        _specials = specials;
        _options = options;
    }

    /// <summary>
    /// The names of the tokens, by id, spelled in GPT-2's alphabet of bytes (<c>Ġthe</c>). There may be fewer than
    /// <see cref="BytePairTrainingOptions.VocabularySize"/> where the corpus was small.
    /// </summary>
    public IReadOnlyList<string> Tokens { get; }

    /// <summary>How many tokens there are.</summary>
    public int VocabularySize => Tokens.Count;

    /// <summary>The pairs that are merged, by the names of the tokens, the first learnt first.</summary>
    public IReadOnlyList<(string Left, string Right)> Merges { get; }

    /// <summary>
    /// Writes <c>tokenizer.json</c> and <c>tokenizer_config.json</c>, as Hugging Face's tokenizers and transformers read them, and reads
    /// them back. Files of these names are replaced, each at once.
    /// </summary>
    /// <param name="folder">The folder of the model; it is made where there is none.</param>
    /// <returns>The tokenizer as the folder holds it.</returns>
    /// <exception cref="WiscaException">The folder cannot be written.</exception>
    public Tokenizer Save(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        try
        {
            AtomicFolder.Ensure(folder);
            Write("tokenizer_config.json", Config());
            Write("tokenizer.json", Tokenizer());
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new WiscaException(
                $"the tokenizer cannot be written to {folder}: {exception.Message}", "choose a folder you may write to", exception);
        }

        return TokenizerLoader.Load(folder);

        void Write(string name, JsonObject content) => AtomicFile.Write(Path.Combine(folder, name), content.ToJsonString(Json) + "\n");
    }

    private static JsonObject ByteLevel(bool splits) => new()
    {
        ["type"] = "ByteLevel",
        ["add_prefix_space"] = false,
        ["trim_offsets"] = true,
        ["use_regex"] = splits,
    };

    private JsonObject Tokenizer() => new()
    {
        ["version"] = "1.0",
        ["truncation"] = null,
        ["padding"] = null,
        ["added_tokens"] = new JsonArray([.. _specials.Select(token => AddedToken(token, withId: true))]),
        ["normalizer"] = null,
        ["pre_tokenizer"] = ByteLevel(splits: true),
        ["post_processor"] = _options.BosToken is { } bos ? BosTemplate(bos) : ByteLevel(splits: true),
        ["decoder"] = ByteLevel(splits: true),
        ["model"] = new JsonObject
        {
            ["type"] = "BPE",
            ["dropout"] = null,
            ["unk_token"] = null,
            ["continuing_subword_prefix"] = null,
            ["end_of_word_suffix"] = null,
            ["fuse_unk"] = false,
            ["byte_fallback"] = false,
            ["ignore_merges"] = false,
            ["vocab"] = new JsonObject(Tokens.Select((token, id) => KeyValuePair.Create(token, (JsonNode?)id))),
            ["merges"] = new JsonArray([.. Merges.Select(merge => new JsonArray(merge.Left, merge.Right))]),
        },
    };

    private JsonObject Config() => new()
    {
        ["added_tokens_decoder"] = new JsonObject(
            _specials.Select(token => KeyValuePair.Create($"{IdOf(token)}", (JsonNode?)AddedToken(token, withId: false)))),
        ["bos_token"] = _options.BosToken, // null is said, so that nothing takes one from elsewhere
        ["clean_up_tokenization_spaces"] = false,
        ["eos_token"] = _options.EosToken,
        ["model_max_length"] = _options.ModelMaxLength ?? 1_000_000_000,
        ["tokenizer_class"] = "PreTrainedTokenizerFast",
    };

    private int IdOf(string special) => 256 + Array.IndexOf(_specials, special);

    private JsonObject AddedToken(string token, bool withId)
    {
        var entry = new JsonObject();
        if (withId) entry["id"] = IdOf(token);
        entry["content"] = token;
        foreach (string flag in new[] { "single_word", "lstrip", "rstrip", "normalized" }) entry[flag] = false;
        entry["special"] = true;
        return entry;
    }

    private JsonObject BosTemplate(string bos)
    {
        JsonObject Special() => new() { ["SpecialToken"] = new JsonObject { ["id"] = bos, ["type_id"] = 0 } };
        JsonObject Text(string id) => new() { ["Sequence"] = new JsonObject { ["id"] = id, ["type_id"] = id == "A" ? 0 : 1 } };
        return new JsonObject
        {
            ["type"] = "TemplateProcessing",
            ["single"] = new JsonArray(Special(), Text("A")),
            ["pair"] = new JsonArray(Special(), Text("A"), Text("B")),
            ["special_tokens"] = new JsonObject
            {
                [bos] = new JsonObject { ["id"] = bos, ["ids"] = new JsonArray(IdOf(bos)), ["tokens"] = new JsonArray(bos) },
            },
        };
    }
}
