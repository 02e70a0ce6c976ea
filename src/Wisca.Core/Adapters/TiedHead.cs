using Wisca.Checkpoints;

namespace Wisca.Adapters;

/// <summary>The embedding of a base whose output projection is the same matrix.</summary>
/// <param name="Embedding">The matrix, [vocabulary, hidden].</param>
/// <param name="Stored">The output projection, where the base stores it a second time; null where it does not.</param>
/// <param name="Name">What the output projection's tensor is called, or would be.</param>
internal sealed record TiedHead(StoredTensor Embedding, StoredTensor? Stored, string Name)
{
    private static readonly string[] Embeddings =
    [
        "embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight", "tok_embeddings.weight",
    ];

    private static readonly string[] TextSections = ["text_config", "llm_config", "language_config"];

    /// <summary>What every spelling of an output projection's name has in common.</summary>
    public const string Canonical = Module + ".weight";

    /// <summary>Likewise of its module.</summary>
    public const string Module = "lm_head";

    /// <summary>Finds the two; null where the base does not tie them.</summary>
    public static TiedHead? Of(Checkpoint checkpoint)
    {
        var embeddings = checkpoint.Tensors.Where(tensor => Embeddings.Contains(ModuleNames.Canonical(tensor.Info.Name))).ToList();
        if (embeddings is not [var embedding]) return null;
        var stored = checkpoint.Tensors.FirstOrDefault(tensor => ModuleNames.Canonical(tensor.Info.Name) == Canonical);
        var config = checkpoint.Config;
        bool? tied = ((string[])["", .. TextSections.Select(section => section + ".")])
            .Select(section => config.FindBool(section + "tie_word_embeddings"))
            .FirstOrDefault(value => value is not null);
        if (stored is null ? tied == false || IsHeadless(config) : tied != true) return null;
        return new TiedHead(embedding, stored, stored?.Info.Name ?? NameBeside(embedding.Info.Name));
    }

    /// <summary>The configuration of the same model with two matrices.</summary>
    public static void Untie(System.Text.Json.Nodes.JsonObject config)
    {
        config["tie_word_embeddings"] = false;
        foreach (string section in TextSections)
        {
            if (config[section] is System.Text.Json.Nodes.JsonObject text) text["tie_word_embeddings"] = false;
        }
    }

    /// <summary>True where the place of a second matrix is known: not in a model that is stored without its root, nor where an encoder goes
    /// before the decoder, whose head is called otherwise.</summary>
    public bool CanBeUntied(ModelConfig config)
    {
        string prefix = ModuleNames.Prefix(Embedding.Info.Name);
        if (Stored is not null || prefix.Contains("language_model.", StringComparison.Ordinal)) return true;
        return prefix.Length > 0
            && (config.Find("architectures") is not { ValueKind: System.Text.Json.JsonValueKind.Array } architectures
                || architectures.EnumerateArray().All(name => name.ToString() is var text
                    && (text.EndsWith("ForCausalLM", StringComparison.Ordinal) || text.EndsWith("LMHeadModel", StringComparison.Ordinal))));
    }

    private static bool IsHeadless(ModelConfig config) =>
        config.Find("architectures") is { ValueKind: System.Text.Json.JsonValueKind.Array } architectures
        && architectures.EnumerateArray().Any(name =>
            name.ValueKind == System.Text.Json.JsonValueKind.String
            && name.GetString() is { } text
            && (text.EndsWith("Classification", StringComparison.Ordinal) || text.EndsWith("Model", StringComparison.Ordinal))
            && !text.EndsWith("LMHeadModel", StringComparison.Ordinal));

    private static string NameBeside(string embedding)
    {
        string prefix = ModuleNames.Prefix(embedding);
        return (prefix.StartsWith("language_model.", StringComparison.Ordinal) ? "language_model." : "")
            + (ModuleNames.Canonical(embedding).StartsWith("embed_in", StringComparison.Ordinal) ? "embed_out.weight" : Canonical);
    }
}
