namespace Wisca.Reporting.Documents;

/// <summary>A report: what <see cref="HtmlWriter"/> and <see cref="MarkdownWriter"/> write alike.</summary>
/// <param name="Title">Its title.</param>
/// <param name="Lead">What it is about, in a sentence.</param>
/// <param name="Blocks">Its content.</param>
internal sealed record Document(string Title, string Lead, IReadOnlyList<Block> Blocks);
