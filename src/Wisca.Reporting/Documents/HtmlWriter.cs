using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Xml;
using System.Xml.Linq;

namespace Wisca.Reporting.Documents;

/// <summary>
/// Writes a report as one page that needs nothing beside it. The page is built as a tree, which escapes every value, and is well-formed XML
/// too. Its own policy lets a browser load nothing, and run only the script and the style that it was written with.
/// </summary>
internal sealed class HtmlWriter
{
    private static readonly HashSet<string> Void = new(StringComparer.Ordinal)
    {
        "br",
        "hr",
        "img",
        "link",
        "meta",
        "path",
    };

    private readonly Anchors _anchors = new();
    private readonly List<(string Anchor, string Title)> _contents = [];

    private HtmlWriter()
    {
    }

    /// <summary>The page.</summary>
    public static string Write(Document document) => new HtmlWriter().Page(document);

    private string Page(Document document)
    {
        string style = Style.Resource("colors.css") + Style.Resource("plot.css") + Style.Resource("page.css"),
            script = Style.Resource("page.js");
        string main = _anchors.Of("results");
        var blocks = document.Blocks.Select(block => Write(block, 2)).ToList();
        var html = new XElement(
            "html",
            new XAttribute("lang", "en"),
            new XElement(
                "head",
                new XElement("meta", new XAttribute("charset", "utf-8")),
                new XElement(
                    "meta",
                    new XAttribute("http-equiv", "Content-Security-Policy"),
                    new XAttribute(
                        "content",
                        $"default-src 'none'; img-src data:; style-src '{Digest(style)}'; script-src '{Digest(script)}'")),
                new XElement("meta", new XAttribute("name", "viewport"), new XAttribute("content", "width=device-width, initial-scale=1")),
                new XElement("meta", new XAttribute("name", "color-scheme"), new XAttribute("content", "light dark")),
                new XElement("title", document.Title),
                new XElement("link", new XAttribute("rel", "icon"), new XAttribute("href", "data:,")),
                new XElement("style", style)),
            new XElement(
                "body",
                new XElement("a", Class("skip"), new XAttribute("href", $"#{main}"), "Skip to the results"),
                new XElement("header", new XElement("h1", document.Title), new XElement("p", Class("lead"), document.Lead)),
                new XElement(
                    "nav",
                    new XAttribute("aria-label", "Contents"),
                    new XElement(
                        "ul",
                        _contents.Select(entry => new XElement(
                            "li",
                            new XElement("a", new XAttribute("href", $"#{entry.Anchor}"), entry.Title))))),
                new XElement("main", new XAttribute("id", main), blocks),
                new XElement("script", script)));
        foreach (var element in html.DescendantsAndSelf())
        {
            // An element without content is written with an end tag, unless HTML knows none.
            if (element.IsEmpty && !Void.Contains(element.Name.LocalName)) element.Value = "";
        }

        AllowedText.Clean(html);
        var page = new StringBuilder("<!DOCTYPE html>\n");
        using (
            var writer = XmlWriter.Create(
                page,
                new XmlWriterSettings
                {
                    OmitXmlDeclaration = true,
                    Indent = false,
                    NewLineHandling = NewLineHandling.None,
                }))
            html.Save(writer);
        return page.Append('\n').ToString();
    }

    private XElement Write(Block block, int level) => block switch
    {
        Section section => Section(section, level),
        Paragraph paragraph => new XElement("p", paragraph.Text),
        Verdicts verdicts => new XElement(
            "section",
            new XAttribute("aria-label", "Verdict"),
            Class("verdicts"),
            verdicts.Sentences.Select(sentence => new XElement("p", sentence))),
        Items items => new XElement("ul", items.Texts.Select(text => new XElement("li", text))),
        Code code => new XElement(
            "pre", new XAttribute("tabindex", "0"), new XAttribute("role", "region"), new XAttribute("aria-label", code.Label),
            new XElement("code", code.Text)),
        Folded folded => new XElement("details", new XElement("summary", folded.Title), folded.Blocks.Select(part => Write(part, level))),
        Table table => Table(table),
        Figure figure => Figure(figure),
        _ => throw new ArgumentException($"no way to write a {block.GetType().Name}", nameof(block)),
    };

    private XElement Section(Section section, int level)
    {
        string anchor = _anchors.Of(section.Title);
        if (level == 2) _contents.Add((anchor, section.Title));
        return new XElement(
            "section",
            level == 2 ? Class("part") : null,
            new XAttribute("aria-labelledby", anchor),
            new XElement($"h{level}", new XAttribute("id", anchor), section.Title),
            section.Blocks.Select(block => Write(block, level + 1)));
    }

    private static XElement Table(Table table) =>
        new(
            "div",
            Class("scroll"),
            new XAttribute("role", "region"),
            new XAttribute("aria-label", table.Caption),
            new XAttribute("tabindex", "0"),
            new XElement(
                "table",
                table.Sortable ? Class("sortable") : null,
                new XElement("caption", table.Caption),
                new XElement(
                    "thead",
                    new XElement(
                        "tr",
                        table.Columns.Select(column => new XElement(
                            "th",
                            new XAttribute("scope", "col"),
                            column.IsNumber ? Class("number") : null,
                            table.Sortable
                                ? (object[])
                                    [
                                        new XAttribute("aria-sort", "none"),
                                        new XElement("button", new XAttribute("type", "button"), column.Name),
                                    ]
                                : [column.Name])))),
                new XElement(
                    "tbody",
                    table.Rows.Select(row => new XElement(
                        "tr",
                        row.Select((cell, index) => Cell(cell, table.Columns[index], isFirst: index == 0)))))));

    private static XElement Cell(Cell cell, Column column, bool isFirst) => new(
        isFirst ? "th" : "td",
        isFirst ? new XAttribute("scope", "row") : null,
        column.IsNumber ? Class("number") : null,
        cell.Value is { } value ? new XAttribute("data-value", value.ToString("R", CultureInfo.InvariantCulture)) : null,
        cell.Meaning is { } meaning ? new XElement("span", Class($"badge {meaning}"), cell.Text) : cell.Text);

    private XElement Figure(Figure figure)
    {
        string anchor = _anchors.Of(figure.Name);
        return new XElement(
            "figure",
            new XAttribute("id", anchor),
            new XElement("figcaption", new XElement("strong", figure.Title), ". ", figure.Description),
            new XElement(
                "div",
                Class(figure.Panels.Count > 1 ? "panels" : "panels alone"),
                figure.Panels.Select((panel, index) => Plot(panel, $"{anchor}-{index + 1}"))),
            new XElement("details", new XElement("summary", "Data of this plot"), Table(figure.Data)));
    }

    private static XElement Plot(Panel panel, string anchor)
    {
        var svg = new XElement(panel.Svg);
        svg.Element("title")!.SetAttributeValue("id", $"{anchor}-title");
        svg.Element("desc")!.SetAttributeValue("id", $"{anchor}-description");
        svg.SetAttributeValue("aria-labelledby", $"{anchor}-title");
        svg.SetAttributeValue("aria-describedby", $"{anchor}-description");
        return new XElement(
            "div", Class("scroll"), new XAttribute("role", "group"), new XAttribute("tabindex", "0"),
            new XAttribute("aria-labelledby", $"{anchor}-title"), svg);
    }

    private static XAttribute Class(string name) => new("class", name);

    private static string Digest(string text) => $"sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)))}";
}
