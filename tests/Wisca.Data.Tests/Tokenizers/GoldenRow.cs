namespace Wisca.Data.Tests.Tokenizers;

/// <summary>A text and what the reference makes of it; see Fixtures/README.md.</summary>
internal sealed record GoldenRow(string Text, int[]? Ids, int[]? Bare, string? Decoded);
