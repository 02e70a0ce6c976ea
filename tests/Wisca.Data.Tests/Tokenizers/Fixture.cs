using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Data.Tokenizers;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Tests;

namespace Wisca.Data.Tests.Tokenizers;

/// <summary>Reads the golden files and builds tokenizers from them.</summary>
internal static class Fixture
{
    public const string EndOfText = "<|endoftext|>";

    public static string PathOf(string name) => Path.Combine(AppContext.BaseDirectory, "Fixtures", name);

    public static GoldenTokenizer[] Read(string name) =>
        JsonSerializer.Deserialize<GoldenTokenizer[]>(File.ReadAllText(PathOf(name)), JsonSerializerOptions.Web)!;

    public static GoldenTokenizer Variant(string name) => Read("variants.json").Single(variant => variant.Name == name);

    /// <summary>The vocabulary and merges that the variants are patches of.</summary>
    public static JsonObject Model(string name) =>
        JsonNode.Parse(File.ReadAllText(PathOf("vocabularies.json")))![name]!.DeepClone().AsObject();

    /// <summary>A whole tokenizer.json.</summary>
    public static JsonObject Json(GoldenTokenizer variant)
    {
        var model = Model(variant.Base!);
        model["type"] = "BPE";
        return Patched(new JsonObject { ["version"] = "1.0", ["added_tokens"] = new JsonArray(), ["model"] = model }, variant.Patch!);
    }

    public static Tokenizer Load(JsonObject json)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["tokenizer.json"], json.ToJsonString());
        return TokenizerLoader.Load(folder.FullPath);
    }

    public static Tokenizer Load(string variant) => Load(Json(Variant(variant)));

    public static void ShouldAgree(Tokenizer tokenizer, GoldenRow row)
    {
        if (row.Ids is not null) tokenizer.Encode(row.Text).ShouldBe(row.Ids, row.Text);
        int[] bare = (row.Bare ?? row.Ids)!;
        tokenizer.Encode(row.Text, addSpecialTokens: false).ShouldBe(bare, row.Text);
        if (row.Decoded is not null) tokenizer.Decode(row.Ids ?? bare).ShouldBe(row.Decoded, row.Text);
    }

    /// <summary>Merges objects; null deletes, all else replaces.</summary>
    private static JsonObject Patched(JsonObject target, JsonObject patch)
    {
        foreach (var (key, value) in patch)
        {
            if (value is null) target.Remove(key);
            else if (value is JsonObject inner && target[key] is JsonObject old) Patched(old, inner);
            else target[key] = value.DeepClone();
        }

        return target;
    }
}
