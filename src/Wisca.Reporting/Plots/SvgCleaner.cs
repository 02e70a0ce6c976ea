using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Wisca.Reporting.Plots;

/// <summary>
/// Makes of ScottPlot's SVG one that lives in a page: classes in place of colours, a nested <c>svg</c> in place of clip paths (which need
/// names), no namespaces, coordinates of one decimal, marks of one kind in one path.
/// </summary>
internal static partial class SvgCleaner
{
    /// <summary>The elements of a drawing.</summary>
    public static IEnumerable<XElement> Clean(string xml)
    {
        var root = XDocument.Parse(xml).Root!;
        var clips = root.Elements()
            .Where(element => element.Name.LocalName == "clipPath")
            .ToDictionary(clip => $"url(#{clip.Attribute("id")!.Value})", clip => clip.Elements().Single());
        return root.Elements()
            .Where(element => element.Name.LocalName != "clipPath")
            .Select(element => Element(element, clips))
            .OfType<XElement>()
            .ToList();
    }

    private static XElement? Element(XElement element, Dictionary<string, XElement> clips)
    {
        if (element.Name.LocalName == "g") return Group(element, clips);
        var cleaned = new XElement(element.Name.LocalName);
        foreach (
            var attribute in element
                .Attributes()
                .Where(attribute => attribute.Name.LocalName is not ("fill" or "stroke" or "stroke-miterlimit")))
            cleaned.SetAttributeValue(
                attribute.Name.LocalName,
                Numbers()
                    .Replace(attribute.Value, match => Rounded(match.Value, attribute.Name.LocalName == "fill-opacity" ? "0.##" : "0.#")));
        string? fill = element.Attribute("fill")?.Value, stroke = element.Attribute("stroke")?.Value;
        bool isLine = stroke is not (null or "none");

        // What is drawn in no ink of ours is what ScottPlot adds by itself: marks of ticks, of no length.
        if ((isLine ? stroke : fill) is not { } color || Ink.Of(color) is not { } ink) return null;
        bool isThin = isLine && double.Parse(element.Attribute("stroke-width")?.Value ?? "1", CultureInfo.InvariantCulture) < 2;
        cleaned.SetAttributeValue("stroke-width", null);
        cleaned.SetAttributeValue("class", $"{ink.Name} {(isLine ? "line" : "area")}{(isThin ? $" {Ink.Thin}" : "")}");
        return cleaned;
    }

    private static XElement Group(XElement group, Dictionary<string, XElement> clips)
    {
        var clip = clips[group.Attribute("clip-path")!.Value];
        string Of(string name) => Rounded(clip.Attribute(name)!.Value, "0.#");
        var window = new XElement(
            "svg", new XAttribute("x", Of("x")), new XAttribute("y", Of("y")), new XAttribute("width", Of("width")),
            new XAttribute("height", Of("height")), new XAttribute("viewBox", $"{Of("x")} {Of("y")} {Of("width")} {Of("height")}"));
        XElement? last = null;
        foreach (var element in group.Elements().Select(element => Element(element, clips)).OfType<XElement>())
        {
            // Marks of a series differ in nothing but their place.
            if (last is { Name.LocalName: "path" } && element.Name == "path" && Rest(last) == Rest(element))
            {
                last.SetAttributeValue("d", last.Attribute("d")!.Value + element.Attribute("d")!.Value);
                continue;
            }

            window.Add(last = element);
        }

        return window;

        static string Rest(XElement element) => string.Join(' ', element.Attributes().Where(attribute => attribute.Name != "d"));
    }

    private static string Rounded(string number, string format)
    {
        string text = double.Parse(number, CultureInfo.InvariantCulture).ToString(format, CultureInfo.InvariantCulture);
        return text == "-0" ? "0" : text;
    }

    [GeneratedRegex(@"-?\d+\.\d+(e-?\d+)?")]
    private static partial Regex Numbers();
}
