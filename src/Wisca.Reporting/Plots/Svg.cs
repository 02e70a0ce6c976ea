using System.Globalization;
using System.Xml.Linq;

namespace Wisca.Reporting.Plots;

/// <summary>Elements of a drawing.</summary>
internal static class Svg
{
    /// <summary>A coordinate: two decimals are less than a reader's screen can show.</summary>
    public static string Number(double number) =>
        (Math.Round(number, 2) + 0.0).ToString("0.##", CultureInfo.InvariantCulture); // the sum of -0 and 0 is 0

    /// <summary>A point, as a path has it.</summary>
    public static string Point(double x, double y) => $"{Number(x)} {Number(y)}";

    /// <summary>A shape; null where it has no parts.</summary>
    public static XElement? Path(string style, IEnumerable<string> parts)
    {
        string data = string.Concat(parts);
        return data.Length == 0 ? null : new XElement("path", new XAttribute("class", style), new XAttribute("d", data));
    }

    /// <summary>Text.</summary>
    /// <param name="x">Where it is anchored.</param>
    /// <param name="y">Where its letters stand.</param>
    /// <param name="anchor">What of it is there: <c>start</c>, <c>middle</c> or <c>end</c>.</param>
    /// <param name="style">Its class.</param>
    /// <param name="text">What it says.</param>
    public static XElement Text(double x, double y, string anchor, string style, string text) =>
        new(
            "text", new XAttribute("x", Number(x)), new XAttribute("y", Number(y)), new XAttribute("text-anchor", anchor),
            new XAttribute("class", style), text);

    /// <summary>As much room as a text may take, at the style sheet's 12 units: letters of DejaVu Sans, the widest of its fonts, are no
    /// wider.</summary>
    public static double Width(string text) => text.Sum(letter => letter switch
    {
        'I' or 'f' or 'i' or 'j' or 'l' or 'r' or 't' or ' ' or '.' or ',' or ':' or ';' or '-' or '/' or '|' or '\'' or '(' or ')' => 5,
        'M' or 'W' or 'm' or 'w' or '+' or '=' or '%' or '@' or (> '~') => 12,
        (>= 'A' and <= 'Z') or '<' or '>' or '&' or '#' or '~' => 10.1,
        _ => 7.7,
    });

    /// <summary>The outline of a mark around a point. Marks of one size cover the same area, about.</summary>
    public static string Outline(Mark mark, double x, double y, double size)
    {
        string Start(double right, double down) => $"M{Point(x + (right * size), y + (down * size))}";
        string By(double share) => Number(share * size);
        string half = By(0.5), whole = By(1), wide = By(1.14), slope = By(0.57), diamond = By(0.64);
        return mark switch
        {
            Mark.Circle => $"{Start(-0.5, 0)}a{half} {half} 0 1 0 {whole} 0a{half} {half} 0 1 0 -{whole} 0z",
            Mark.Square => $"{Start(-0.5, -0.5)}h{whole}v{whole}h-{whole}z",
            Mark.Triangle => $"{Start(0, -0.57)}l{slope} {whole}h-{wide}z",
            Mark.TriangleDown => $"{Start(0, 0.57)}l{slope} -{whole}h-{wide}z",
            Mark.Diamond => $"{Start(0, -0.64)}l{diamond} {diamond}l-{diamond} {diamond}l-{diamond} -{diamond}z",
            Mark.Cross => $"{Start(-0.5, -0.5)}l{whole} {whole}m0 -{whole}l-{whole} {whole}",
            _ => throw new ArgumentOutOfRangeException(nameof(mark), mark, "no such mark"),
        };
    }
}
