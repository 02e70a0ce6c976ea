using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Wisca.Reporting.Documents;

/// <summary>Writes a report as Markdown, its plots as files beside it.</summary>
internal sealed partial class MarkdownWriter
{
    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    private readonly Anchors _names = new();
    private readonly StringBuilder _text = new();
    private readonly SortedDictionary<string, string> _plots = new(StringComparer.Ordinal);
    private readonly string _folder;

    private MarkdownWriter(string folder) => _folder = folder;

    /// <summary>The Markdown, and its plots by name.</summary>
    /// <param name="document">The report.</param>
    /// <param name="folder">Where its plots are, seen from the Markdown.</param>
    public static (string Text, IReadOnlyDictionary<string, string> Plots) Write(Document document, string folder)
    {
        var writer = new MarkdownWriter(folder);
        writer.Paragraph($"# {Escaped(document.Title)}");
        writer.Paragraph(Escaped(document.Lead));
        foreach (var block in document.Blocks) writer.Write(block, 2);
        return (writer._text.ToString().TrimEnd() + "\n", writer._plots);
    }

    private void Write(Block block, int level)
    {
        switch (block)
        {
            case Section section:
                Paragraph($"{new string('#', level)} {Escaped(section.Title)}");
                foreach (var part in section.Blocks) Write(part, level + 1);
                break;
            case Paragraph paragraph:
                Paragraph(Escaped(paragraph.Text));
                break;
            case Verdicts verdicts:
                Paragraph(string.Join('\n', verdicts.Sentences.Select(sentence => $"- **{Escaped(sentence)}**")));
                break;
            case Items items:
                Paragraph(string.Join('\n', items.Texts.Select(text => $"- {Escaped(text)}")));
                break;
            case Code code:
                string fence = new(
                    '`',
                    Math.Max(3, 1 + Backticks().Matches(code.Text).Select(match => match.Length).DefaultIfEmpty().Max()));
                Paragraph($"{fence}{code.Language}\n{code.Text.TrimEnd('\n')}\n{fence}");
                break;
            case Folded { InMarkdown: true } folded:
                Paragraph($"<details><summary>{Escaped(folded.Title)}</summary>");
                foreach (var part in folded.Blocks) Write(part, level);
                Paragraph("</details>");
                break;
            case Table table:
                Paragraph($"{Escaped(table.Caption)}:");
                Paragraph(string.Join('\n', (string[])
                [
                    Row(table.Columns.Select(column => column.Name)),
                    $"| {string.Join(" | ", table.Columns.Select(column => column.IsNumber ? "---:" : "---"))} |",
                    .. table.Rows.Select(row => Row(row.Select(cell => cell.Text))),
                ]));
                break;
            case Figure figure:
                Paragraph($"**{Escaped(figure.Title)}.** {Escaped(figure.Description)}");
                string Title(Panel panel) => panel.Title.Length > 0 ? $"{figure.Title}, {panel.Title}" : figure.Title;
                Paragraph(string.Join(
                    '\n',
                    figure.Panels.Select(panel => $"![{Escaped(Title(panel))}]({_folder}/{Plot(figure.Name, panel)})")));
                break;
        }
    }

    private string Plot(string name, Panel panel)
    {
        string file = _names.Of(name) + ".svg";
        var svg = new XElement(panel.Svg);
        string[] box = svg.Attribute("viewBox")!.Value.Split(' ');
        svg.SetAttributeValue("width", box[2]);
        svg.SetAttributeValue("height", box[3]);
        svg.Elements()
            .First(element => element.Name.LocalName is not ("title" or "desc"))
            .AddBeforeSelf(
                new XElement("style", Style.Resource("colors.css") + Style.Resource("plot.css")),
                new XElement("rect", new XAttribute("class", "paper"), new XAttribute("width", box[2]), new XAttribute("height", box[3])));
        AllowedText.Clean(svg);
        foreach (var element in svg.DescendantsAndSelf()) element.Name = Svg + element.Name.LocalName;
        _plots[file] = svg.ToString(SaveOptions.DisableFormatting) + "\n";
        return file;
    }

    private void Paragraph(string text) => _text.Append(text).Append("\n\n");

    private static string Row(IEnumerable<string> cells) => $"| {string.Join(" | ", cells.Select(Escaped))} |";

    /// <summary>Text in which nothing is Markdown or HTML, on one line.</summary>
    private static string Escaped(string text)
    {
        text = Special().Replace(text, match => match.Value switch { "<" => "&lt;", "&" => "&amp;", var other => $"\\{other}" });
        return Control().Replace(text, " ");
    }

    [GeneratedRegex(@"[\\`*|<&~]|\](?=[\(\[:])|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")]
    private static partial Regex Special();

    [GeneratedRegex(@"[\p{C}-[\u00ad]]+")]
    private static partial Regex Control();

    [GeneratedRegex("`+")]
    private static partial Regex Backticks();
}
