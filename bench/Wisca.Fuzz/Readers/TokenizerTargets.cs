using System.Text.Json.Nodes;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Tests;

namespace Wisca.Fuzz.Readers;

/// <summary>Tokenizers of every kind; one that is accepted has to encode a text, and to decode what it made of it.</summary>
internal sealed class TokenizerTargets : ITargets
{
    private const string Text = "The ducks said  hello; it's 1234567\n\nCafé Cafe\u0301 \U0001F600 数学 <s> <|endoftext|> "
        + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa! ";

    private static readonly string[] SentencePieceModels =
        ["rules.model", "bytes.model", "unknown.model", "ties.model", "unigram.model", "symbols.model", "fallback.model"];

    private const string Settings = """
        {"tokenizer_class":"LlamaTokenizer","add_bos_token":true,"add_eos_token":false,"legacy":false,"add_prefix_space":null,
        "bos_token":"<s>","eos_token":{"content":"</s>","lstrip":false,"normalized":true,"rstrip":false,"single_word":false},
        "unk_token":"<unk>","pad_token":null,"additional_special_tokens":["<x>"],"model_max_length":1000000000000000019884624838656,
        "added_tokens_decoder":{"0":{"content":"<unk>","special":true},"3":{"content":"<x>","lstrip":true,"special":false}}}
        """;

    private readonly TemporaryFolder _folder = new();

    public TokenizerTargets()
    {
        var vocabularies = JsonNode.Parse(File.ReadAllText(Fixtures.DataTests("vocabularies.json")))!;
        string[] tokenizers =
        [
            .. Entries("variants.json").Select(entry => Small(Whole(entry, vocabularies))),
            .. Entries("models.json").Where(entry => entry["patch"] is not null).Select(entry => Small(entry["patch"]!.DeepClone())),
        ];
        byte[][] models = [.. SentencePieceModels.Select(name => File.ReadAllBytes(Fixtures.DataTests(name)))];
        All =
        [
            new Target(
                "tokenizer",
                12,
                random => Mutator.Json(random.GetItems(tokenizers, 1)[0], random),
                input => Read("tokenizer.json", input),
                null),
            new Target(
                "sentencepiece",
                10,
                random => random.GetItems(models, 1)[0] is var model && random.Next(12) == 0 ? model : Mutator.Binary(model, random, ..),
                input => Read("tokenizer.model", input),
                null)
            {
                JsonOf = _ => default,
            },
            new Target("tokenizer-config", 6, random => Mutator.Json(Settings, random), ReadSettings, null),
        ];
        Directory.CreateDirectory(_folder["settings"]);
        File.WriteAllBytes(_folder["settings", "tokenizer.model"], models[0]);
    }

    public IReadOnlyList<Target> All { get; }

    public void Dispose() => _folder.Dispose();

    private static IEnumerable<JsonNode> Entries(string file) =>
        JsonNode.Parse(File.ReadAllText(Fixtures.DataTests(file)))!.AsArray().OfType<JsonNode>();

    /// <summary>A variant is a patch on one of the two vocabularies.</summary>
    private static JsonObject Whole(JsonNode entry, JsonNode vocabularies)
    {
        var model = vocabularies[(string)entry["base"]!]!.DeepClone().AsObject();
        model["type"] = "BPE";
        var whole = new JsonObject { ["version"] = "1.0", ["added_tokens"] = new JsonArray(), ["model"] = model };
        Patch(whole, entry["patch"]!.AsObject());
        return whole;
    }

    private static void Patch(JsonObject target, JsonObject patch)
    {
        foreach (var (key, value) in patch)
        {
            if (value is null) target.Remove(key);
            else if (value is JsonObject inner && target[key] is JsonObject old) Patch(old, inner);
            else target[key] = value.DeepClone();
        }
    }

    /// <summary>Few tokens: changes then fall on the structure more often, and cases are fast.</summary>
    private static string Small(JsonNode tokenizer)
    {
        const int kept = 40;
        var model = tokenizer["model"];
        if (model?["vocab"] is JsonObject { Count: > kept } vocab && model["merges"] is JsonArray merges)
        {
            foreach (string token in vocab.Select(entry => entry.Key).Skip(kept).ToList()) vocab.Remove(token);
            foreach (var merge in merges.Where(merge => !Holds(merge, vocab)).ToList()) merges.Remove(merge);
        }

        return tokenizer.ToJsonString();
    }

    private static bool Holds(JsonNode? merge, JsonObject vocab)
    {
        string[] parts = merge is JsonArray pair ? [.. pair.Select(part => (string)part!)] : ((string)merge!).Split(' ');
        return vocab.ContainsKey(string.Concat(parts)) && parts.All(vocab.ContainsKey);
    }

    private void ReadSettings(byte[] input)
    {
        File.WriteAllBytes(_folder["settings", "tokenizer_config.json"], input);
        TokenizerLoader.Load(_folder["settings"]).Encode(Text);
    }

    private void Read(string name, byte[] input)
    {
        File.WriteAllBytes(_folder[name], input);
        try
        {
            foreach (var load in (Func<string, Data.Tokenizers.Tokenizer>[])[TokenizerLoader.Load, TokenizerLoader.LoadAsTransformers])
            {
                var tokenizer = load(_folder[name]);
                int[] ids = tokenizer.Encode(Text);
                if (ids.Any(id => id < 0 || id >= tokenizer.VocabularySize))
                    throw new InvalidOperationException("an id beyond the vocabulary");
                tokenizer.Decode(ids);
            }
        }
        finally
        {
            File.Delete(_folder[name]);
        }
    }
}
