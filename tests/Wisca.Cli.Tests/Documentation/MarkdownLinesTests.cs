using Wisca.Tests;

namespace Wisca.Cli.Tests.Documentation;

/// <summary>Documents that people write wrap at 100 characters.</summary>
public sealed class MarkdownLinesTests
{
    private static readonly string Long = string.Concat(Enumerable.Repeat("word ", 20)) + "w";

    public static TheoryData<string> Documents => [.. WrittenDocuments.Paths];

    [Theory]
    [MemberData(nameof(Documents))]
    public void Document_Lines_AreWrapped(string document) =>
        MarkdownLines.TooLong(TestRepository.ReadText(document)).ShouldBeEmpty($"lines of {document} over 100 characters");

    [Fact]
    public void TooLong_Prose_IsFound()
    {
        Long.Length.ShouldBe(101);
        string[] lines = ["# Title", "", Long, Long[..100], $"- {Long[2..]}", $"  {Long}", "```", Long, "```", Long];
        MarkdownLines.TooLong(string.Join('\n', lines)).ShouldBe([3, 5, 6, 10]);
    }

    [Fact]
    public void TooLong_WhatCannotBeBroken_IsLeft()
    {
        string word = new('w', 101);
        MarkdownLines.TooLong(
            $"## {Long}\n\n| {Long} |\n\n[{Long}](there.md)\n- [{Long}](there.md).\n`{Long}`\n{word}\n[there]: {word}\n")
            .ShouldBeEmpty();
        MarkdownLines.TooLong($"[{Long}](there.md) and more").ShouldBe([1]);
    }
}
