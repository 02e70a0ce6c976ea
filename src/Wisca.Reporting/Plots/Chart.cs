using System.Xml.Linq;

namespace Wisca.Reporting.Plots;

/// <summary>
/// A plot, as SVG that lives in a page or alone. Colours and dashes are those of classes of the style sheet. Text is written as text, at
/// places that follow from the numbers, so that the drawing is the same on machines with other fonts, or none. Bands are drawn below lines,
/// and lines below marks, so that no series hides another's.
/// </summary>
internal sealed class Chart
{
    private const double RowHeight = 18, Right = 14, Bottom = 44, SampleWidth = 30, MarkSize = 7;

    private readonly double _width, _height;
    private readonly string _x, _y;
    private readonly List<Func<Plane, XElement?>> _bands = [], _lines = [], _marks = [];
    private readonly List<(Ink Ink, string Name)> _legend = [];
    private Extent _extentX = Extent.None, _extentY = Extent.None;
    private Extent? _limitsY;
    private Ticks? _ticksX, _ticksY;
    private bool _wholeX = true;

    /// <param name="width">Width in units of the drawing.</param>
    /// <param name="height">Height of the part with the data.</param>
    /// <param name="x">What is along the bottom.</param>
    /// <param name="y">What is along the left side; empty for names of rows.</param>
    public Chart(double width, double height, string x, string y) => (_width, _height, _x, _y) = (width, height, x, y);

    /// <summary>Places along the bottom that are given, in their order.</summary>
    public void PlacesX(IReadOnlyList<double> places, IReadOnlyList<string> labels) => _ticksX = new Ticks(places, labels);

    /// <summary>Names of rows, the first at the top: row i is at -i.</summary>
    public void Rows(IReadOnlyList<string> names)
    {
        _ticksY = new Ticks([.. names.Select((_, index) => (double)-index)], [.. names.Select(name => Cut(name, 26))]);
        _limitsY = new Extent(0.6 - names.Count, 0.6);
    }

    /// <summary>Leaves out what is above or below.</summary>
    public void LimitY(double low, double high) => _limitsY = high > low ? Extent.None.With(low, high).WithRoom(0.06) : null;

    /// <summary>A series' name in the legend.</summary>
    public void Name(Ink ink, string name) => _legend.Add((ink, Cut(name, 44)));

    /// <summary>A line through points, with marks where there are few.</summary>
    public void Line(Ink ink, IReadOnlyList<double> x, IReadOnlyList<double> y, bool marked)
    {
        Include(x, y);
        var parts = Unbroken(x, y).ToList();
        _lines.Add(plane =>
            Svg.Path(ink.Line, parts.Where(part => part.Length > 1).Select(part => Joined(part.Select(i => plane.Point(x[i], y[i]))))));

        // A line through one point is not seen.
        int[] marks = [.. parts.Where(part => marked || part.Length == 1).SelectMany(part => part)];
        Points(ink, [.. marks.Select(i => x[i])], [.. marks.Select(i => y[i])], MarkSize);
    }

    /// <summary>The area between two lines.</summary>
    public void Band(Ink ink, IReadOnlyList<double> x, IReadOnlyList<double> low, IReadOnlyList<double> high)
    {
        Include(x, low);
        Include(x, high);
        var parts = Unbroken(x, low, high).ToList();
        _bands.Add(plane =>
        {
            var band = Svg.Path(
                ink.Area,
                parts.Select(part => Joined(Edge(part, low).Concat(Edge(part, high).Reverse())) + "z"));
            band?.SetAttributeValue("fill-opacity", "0.16");
            return band;

            // An area of one place has no width of its own.
            IEnumerable<string> Edge(int[] part, IReadOnlyList<double> y) => part is [int one]
                ? ((double[])[-1, 1]).Select(aside => Svg.Point(plane.Across(x[one]) + aside, plane.Down(y[one])))
                : part.Select(i => plane.Point(x[i], y[i]));
        });
    }

    /// <summary>Marks alone.</summary>
    public void Points(Ink ink, IReadOnlyList<double> x, IReadOnlyList<double> y, double size, Mark? mark = null)
    {
        Include(x, y);
        var shape = mark ?? ink.Mark;
        _marks.Add(plane =>
            Svg.Path(
                shape == Mark.Cross ? ink.ThinLine : ink.Area,
                x.Zip(y)
                    .Where(point => plane.Shows(point.First, point.Second, size))
                    .Select(point => Svg.Outline(shape, plane.Across(point.First), plane.Down(point.Second), size))));
    }

    /// <summary>A straight line between two points.</summary>
    public void Stroke(Ink ink, (double X, double Y) from, (double X, double Y) to)
    {
        Include([from.X, to.X], [from.Y, to.Y]);
        if (!((double[])[from.X, from.Y, to.X, to.Y]).All(Extent.CanHold)) return;
        _lines.Add(plane => Svg.Path(ink.ThinLine, [Joined([plane.Point(from.X, from.Y), plane.Point(to.X, to.Y)])]));
    }

    /// <summary>A line at zero across the plot.</summary>
    public void Zero(bool vertical = false)
    {
        Include(vertical ? [0] : [], vertical ? [] : [0]);
        _lines.Add(plane => Svg.Path(Ink.Muted.ThinLine, [vertical ? plane.Upright(0) : plane.Level(0)]));
    }

    /// <summary>Draws it.</summary>
    /// <param name="title">Its name for those who do not see it.</param>
    /// <param name="description">What it shows.</param>
    public XElement Draw(string title, string description)
    {
        var (x, y) = (_extentX.WithRoom(0.05), _limitsY ?? _extentY.WithRoom(0.05));
        var ticksY = _ticksY ?? Ticks.Round(y.Low, y.High, 5);
        double left = Math.Max(56, 14 + ticksY.Labels.Select(Svg.Width).DefaultIfEmpty().Max());
        var plane = new Plane(x, y, _width - left - Right, _height);
        var ticksX = _ticksX is { } given ? Apart(given, plane) : Fitting(plane);

        var legend = LegendRows();
        double above = _y.Length > 0 ? RowHeight : 0, top = above + (RowHeight * legend.Count) + 10, height = top + _height + Bottom;
        var svg = new XElement(
            "svg", new XAttribute("class", "plot"), new XAttribute("role", "img"),
            new XAttribute("viewBox", $"0 0 {Svg.Number(_width)} {Svg.Number(height)}"), new XElement("title", title),
            new XElement("desc", description));

        // An inner drawing shows nothing outside itself, and needs no name as a clipping path does.
        svg.Add(
            new XElement(
                "svg", new XAttribute("x", Svg.Number(left)), new XAttribute("y", Svg.Number(top)),
                new XAttribute("width", Svg.Number(plane.Width)), new XAttribute("height", Svg.Number(plane.Height)),
                Svg.Path(Ink.Grid.ThinLine, ticksX.Places.Select(plane.Upright)),
                Svg.Path(Ink.Grid.ThinLine, ticksY.Places.Select(plane.Level)),
                _bands.Concat(_lines).Concat(_marks).Select(shape => shape(plane))));
        if (_y.Length > 0) svg.Add(Svg.Text(4, 14, "start", "name", _y));
        for (int row = 0; row < legend.Count; row++)
        {
            double across = 4, down = above + (RowHeight * row) + 10;
            foreach (var (ink, name) in legend[row])
            {
                svg.Add(
                    Svg.Path(ink.Line, [$"M{Svg.Point(across, down)}h{Svg.Number(SampleWidth - 6)}"]),
                    Svg.Path(ink.Area, [Svg.Outline(ink.Mark, across + (SampleWidth / 2) - 3, down, MarkSize)]),
                    Svg.Text(across + SampleWidth, down + 4, "start", "name", name));
                across += EntryWidth(name);
            }
        }

        foreach (var (place, label) in ticksX.Places.Zip(ticksX.Labels)) svg.Add(Below(left + plane.Across(place), 26, "tick", label));
        foreach (var (place, label) in ticksY.Places.Zip(ticksY.Labels))
            svg.Add(Svg.Text(left - 8, top + plane.Down(place) + 4, "end", _y.Length > 0 ? "tick" : "name", label));
        svg.Add(Below(left + (plane.Width / 2), 6, "name", _x));
        return svg;

        // In the middle, or as far right as it can be.
        XElement Below(double across, double up, string style, string text) =>
            Svg.Text(Math.Min(across, _width - (Svg.Width(text) / 2)), height - up, "middle", style, text);
    }

    /// <summary>Round places along the bottom, as many as have room for their labels.</summary>
    private Ticks Fitting(Plane plane)
    {
        for (int wanted = 5; ; wanted--)
        {
            var ticks = Ticks.Round(plane.X.Low, plane.X.High, wanted, _wholeX);
            if (wanted == 1 || Apart(ticks, plane).Places.Count == ticks.Places.Count) return ticks;
        }
    }

    /// <summary>Places on the plane whose labels do not touch the one before.</summary>
    private static Ticks Apart(Ticks ticks, Plane plane)
    {
        var apart = new List<(double Place, string Label)>();
        double end = double.NegativeInfinity;
        foreach (var (place, label) in ticks.Places.Zip(ticks.Labels))
        {
            double half = Svg.Width(label) / 2;
            if (place < plane.X.Low || place > plane.X.High || plane.Across(place) - half < end + 5) continue;
            end = plane.Across(place) + half;
            apart.Add((place, label));
        }

        return new Ticks([.. apart.Select(tick => tick.Place)], [.. apart.Select(tick => tick.Label)]);
    }

    private void Include(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        (_extentX, _extentY) = (_extentX.With(x), _extentY.With(y));
        _wholeX &= x.Where(Extent.CanHold).All(double.IsInteger);
    }

    /// <summary>The indices of a series in parts that nothing breaks: a value without a place ends a part.</summary>
    private static IEnumerable<int[]> Unbroken(params IReadOnlyList<double>[] columns)
    {
        int start = 0;
        for (int i = 0; i <= columns[0].Count; i++)
        {
            if (i < columns[0].Count && columns.All(column => Extent.CanHold(column[i]))) continue;
            if (i > start) yield return [.. Enumerable.Range(start, i - start)];
            start = i + 1;
        }
    }

    private static string Joined(IEnumerable<string> points) => $"M{string.Join(' ', points)}";

    private List<List<(Ink Ink, string Name)>> LegendRows()
    {
        var rows = new List<List<(Ink, string)>>();
        double used = double.PositiveInfinity;
        foreach (var entry in _legend)
        {
            if (used + EntryWidth(entry.Name) > _width)
            {
                rows.Add([]);
                used = 4;
            }

            rows[^1].Add(entry);
            used += EntryWidth(entry.Name);
        }

        return rows;
    }

    private static double EntryWidth(string name) => SampleWidth + Svg.Width(name) + 10;

    private static string Cut(string text, int most) => text.Length <= most ? text : text[..(most - 1)] + "…";
}
