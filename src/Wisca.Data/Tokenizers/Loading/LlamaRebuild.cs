using System.Text.Json;
using System.Text.Json.Nodes;

namespace Wisca.Data.Tokenizers.Loading;

/// <summary>
/// What transformers 5 makes of a Llama's tokenizer.json: its LlamaTokenizer is built from vocabulary and merges, without the file's
/// normalizer and without an unknown token, and with a Metaspace in front that leaves a text alone which begins with a space.
/// </summary>
internal static class LlamaRebuild
{
    private const string Mark = "\u2581";

    /// <summary>The content of tokenizer.json as it is then; as it was where that does not concern it.</summary>
    public static JsonValue Apply(JsonValue root, TokenizerSettings settings)
    {
        if (settings.TokenizerClass is not ("LlamaTokenizer" or "LlamaTokenizerFast") || !IsLlamas(root)) return root;
        var json = JsonObject.Create(root.Element)!;
        string scheme =
            settings.AddPrefixSpace == false ? "never"
            : settings.Legacy == true ? "always"
            : "first";
        json["normalizer"] = null;
        json["pre_tokenizer"] = new JsonObject
        {
            ["type"] = "Metaspace",
            ["replacement"] = Mark,
            ["prepend_scheme"] = scheme,
            ["split"] = false,
        };
        json["model"]!["unk_token"] = null;
        return root.With(JsonSerializer.SerializeToElement(json));
    }

    /// <summary>True for the file that Llama 2 came with: a mark put in front, spaces made marks, and pairs merged.</summary>
    private static bool IsLlamas(JsonValue root) =>
        root.Find("pre_tokenizer") is null
        && root.Find("normalizer")?.Find("normalizers")?.Items().Select(part => part.Find("type")?.Text()).ToArray()
            is ["Prepend", "Replace"]
        && (root.Find("model")?.Find("type")?.Text() ?? "BPE") == "BPE";
}
