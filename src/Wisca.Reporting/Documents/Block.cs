using System.Xml.Linq;

namespace Wisca.Reporting.Documents;

/// <summary>A piece of a report, whatever it is written as.</summary>
internal abstract record Block;

/// <summary>A heading with what belongs to it.</summary>
internal sealed record Section(string Title, IReadOnlyList<Block> Blocks) : Block;

/// <summary>Text.</summary>
internal sealed record Paragraph(string Text) : Block;

/// <summary>What came out, a sentence each.</summary>
internal sealed record Verdicts(IReadOnlyList<string> Sentences) : Block;

/// <summary>A list.</summary>
internal sealed record Items(IReadOnlyList<string> Texts) : Block;

/// <summary>Text that a program reads.</summary>
internal sealed record Code(string Label, string Language, string Text) : Block;

/// <summary>What is shown only to those who ask for it.</summary>
internal sealed record Folded(string Title, IReadOnlyList<Block> Blocks) : Block
{
    /// <summary>False for what stands on the page alone, not in the Markdown.</summary>
    public bool InMarkdown { get; init; } = true;
}

/// <summary>A table; the first column names the row.</summary>
internal sealed record Table(string Caption, IReadOnlyList<Column> Columns, IReadOnlyList<IReadOnlyList<Cell>> Rows) : Block
{
    /// <summary>True where the reader may sort it.</summary>
    public bool Sortable { get; init; }
}

/// <summary>A column of a table.</summary>
internal sealed record Column(string Name, bool IsNumber = false);

/// <summary>A cell: what is shown, the number that it is sorted by, and what it means (a class of the style sheet).</summary>
internal sealed record Cell(string Text, double? Value = null, string? Meaning = null);

/// <summary>Plots with a caption, and their data.</summary>
/// <param name="Name">Part of file names and anchors, unique in the report.</param>
/// <param name="Title">What is shown.</param>
/// <param name="Description">How to read it.</param>
/// <param name="Panels">The plots.</param>
/// <param name="Data">What is drawn, as numbers.</param>
internal sealed record Figure(string Name, string Title, string Description, IReadOnlyList<Panel> Panels, Table Data) : Block;

/// <summary>One plot.</summary>
/// <param name="Title">What it shows among its neighbours; empty where it is alone.</param>
/// <param name="Svg">The drawing.</param>
internal sealed record Panel(string Title, XElement Svg);
