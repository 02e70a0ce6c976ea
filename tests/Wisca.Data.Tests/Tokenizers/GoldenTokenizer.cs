using System.Text.Json.Nodes;

namespace Wisca.Data.Tests.Tokenizers;

/// <summary>A tokenizer of the golden files: one at a path, or a patch on a small vocabulary.</summary>
internal sealed record GoldenTokenizer(
    string? Path, string? Name, string? Base, JsonObject? Patch, GoldenCorpus[]? Corpora, GoldenRow[] Rows);
