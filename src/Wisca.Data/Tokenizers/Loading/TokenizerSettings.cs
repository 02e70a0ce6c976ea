using System.Text.Json;
using Wisca.Data.Tokenizers.Models;
using Wisca.Data.Tokenizers.Pipelines;

namespace Wisca.Data.Tokenizers.Loading;

/// <summary>
/// What the files beside a vocabulary say about special tokens: <c>tokenizer_config.json</c>, <c>special_tokens_map.json</c>,
/// <c>added_tokens.json</c>, and the ids in <c>generation_config.json</c> and <c>config.json</c>. All of them may be missing.
/// </summary>
internal sealed class TokenizerSettings
{
    private static readonly string[] TokenKeys =
    [
        "bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token",
    ];

    private readonly JsonValue? _config;
    private readonly JsonValue? _map;
    private readonly JsonValue? _added;
    private readonly JsonValue?[] _idFiles;

    private TokenizerSettings(string folder)
    {
        JsonValue? Optional(string name) => File.Exists(Path.Combine(folder, name)) ? JsonValue.Load(Path.Combine(folder, name)) : null;
        _config = Optional("tokenizer_config.json");
        _map = Optional("special_tokens_map.json");
        _added = Optional("added_tokens.json");
        _idFiles = [Optional("generation_config.json"), Optional("config.json")];
    }

    /// <summary>Reads the files that are there.</summary>
    /// <exception cref="WiscaException">One of them is damaged.</exception>
    public static TokenizerSettings Load(string folder) => new(folder);

    /// <summary>The class that Hugging Face's transformers would use; null where it is not said.</summary>
    public string? TokenizerClass => _config?.Find("tokenizer_class")?.Text();

    /// <summary>Whether BOS goes in front of every text; null where it is not said.</summary>
    public bool? AddBosToken => _config?.Find("add_bos_token")?.Flag();

    /// <summary>Whether EOS goes behind every text; null where it is not said.</summary>
    public bool? AddEosToken => _config?.Find("add_eos_token")?.Flag();

    /// <summary>Whether every part of a text between special tokens begins anew, as Llama's once did; null where it is not said.</summary>
    public bool? Legacy => _config?.Find("legacy")?.Flag();

    /// <summary>Whether a text that does not begin with a space gets one; null where it is not said.</summary>
    public bool? AddPrefixSpace => _config?.Find("add_prefix_space")?.Flag();

    /// <summary>The names of all special tokens, each once.</summary>
    public IReadOnlyList<string> SpecialTokens()
    {
        var names = new List<string>();
        foreach (var file in new[] { _config, _map })
        {
            names.AddRange(TokenKeys.Select(key => file?.Find(key)).OfType<JsonValue>().Select(TokenName));
            if (file?.Find("additional_special_tokens") is { } more) names.AddRange(more.Items().Select(TokenName));
        }

        return [.. names.Distinct(StringComparer.Ordinal)];
    }

    /// <summary>The tokens of <c>added_tokens_decoder</c> and of <c>added_tokens.json</c>, the former first.</summary>
    public IReadOnlyList<AddedToken> AddedTokens()
    {
        var tokens = new List<AddedToken>();
        foreach (var (key, value) in _config?.Find("added_tokens_decoder")?.Properties() ?? [])
        {
            if (!int.TryParse(key, out int id)) throw new WiscaException($"{value.Where}: '{key}' is no token id", "mend the file");
            tokens.Add(ReadAddedToken(value, id));
        }

        foreach (var (content, id) in _added?.Properties() ?? [])
            tokens.Add(new AddedToken(content, id.Number(), Special: false, Normalized: true));
        return [.. tokens.DistinctBy(token => token.Content)];
    }

    /// <summary>An entry of a list of added tokens.</summary>
    public static AddedToken ReadAddedToken(JsonValue value, int id)
    {
        bool special = value.Flag("special", false);
        return new AddedToken(
            value.Require("content").Text(),
            id,
            special,
            value.Flag("single_word", false),
            value.Flag("lstrip", false),
            value.Flag("rstrip", false),
            value.Flag("normalized", !special));
    }

    /// <summary>The ids of the tokens that mark the beginning and the end of a text.</summary>
    /// <param name="find">Finds ids by name.</param>
    /// <param name="size">The vocabulary's size; ids beyond it (config.json's defaults for another vocabulary) count as not said.</param>
    /// <param name="ownBos">What the vocabulary's own file says of BOS; the names in the files beside it come first.</param>
    /// <param name="ownEos">What the vocabulary's own file says of EOS.</param>
    public (int? Bos, int? Eos) BosAndEos(Func<string, int?> find, int size, int? ownBos = null, int? ownEos = null) =>
        (Id("bos_token", find, size, ownBos), Id("eos_token", find, size, ownEos));

    /// <summary>What goes around a text, where the vocabulary's own file has no template.</summary>
    /// <param name="bos">The id of BOS.</param>
    /// <param name="eos">The id of EOS.</param>
    /// <param name="addBos">Whether BOS is added where these files do not say it; EOS is not.</param>
    public TokenTemplate Template(int? bos, int? eos, bool addBos) => new(
        AddBosToken ?? addBos ? [bos ?? throw NotNamed("bos")] : [],
        AddEosToken == true ? [eos ?? throw NotNamed("eos")] : []);

    /// <summary>The error of a token that is to be added but that nothing names.</summary>
    public static WiscaException NotNamed(string name) =>
        new($"tokenizer_config.json: add_{name}_token is true, but no {name}_token is named", "name it there");

    private int? Id(string key, Func<string, int?> find, int size, int? own)
    {
        foreach (var file in new[] { _config, _map })
        {
            if (file?.Find(key) is { } token)
            {
                string name = TokenName(token);
                return find(name)
                    ?? throw new WiscaException(
                        $"{token.Where} is {Vocabulary.Quote(name)}, which the vocabulary does not have",
                        "mend the file");
            }

            // A token that is null on purpose (Qwen2 has no BOS) is not to be found elsewhere.
            if (file?.Element.TryGetProperty(key, out _) == true) return null;
        }

        return own ?? _idFiles.Select(file => FirstId(file?.Find(key + "_id"))).FirstOrDefault(id => id >= 0 && id < size);
    }

    /// <summary>An id, or the first of a list of them.</summary>
    private static int? FirstId(JsonValue? value)
    {
        if (value is not { } ids) return null;
        return ids.Element.ValueKind == JsonValueKind.Array
            ? ids.Items().Select(item => (int?)item.Number()).FirstOrDefault()
            : ids.Number();
    }

    /// <summary>A token is given by its text or by an object that holds it.</summary>
    private static string TokenName(JsonValue value) =>
        value.Element.ValueKind == JsonValueKind.Object ? value.Require("content").Text() : value.Text();
}
