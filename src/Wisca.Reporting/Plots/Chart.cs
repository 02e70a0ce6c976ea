using System.Globalization;
using System.Xml.Linq;
using ScottPlot;
using ScottPlot.TickGenerators;

namespace Wisca.Reporting.Plots;

/// <summary>
/// A plot: ScottPlot draws lines, bands, marks and the grid; text is written as text, at places that follow from the numbers, so that the
/// drawing is the same on machines with other fonts, or none.
/// </summary>
internal sealed class Chart
{
    private const double LetterWidth = 6.7, RowHeight = 18, Right = 14, Bottom = 44, SampleWidth = 30;

    private readonly double _width, _height;
    private readonly string _x, _y;
    private readonly List<Action<Plot>> _drawing = [];
    private readonly List<(Ink Ink, string Name)> _legend = [];
    private double _left = 56;
    private double _lowX = double.PositiveInfinity,
        _highX = double.NegativeInfinity,
        _lowY = double.PositiveInfinity,
        _highY = double.NegativeInfinity;
    private Ticks? _ticksX, _ticksY;
    private (double Low, double High)? _fixedY;

    /// <param name="width">Width in units of the drawing.</param>
    /// <param name="height">Height of the part with the data.</param>
    /// <param name="x">What is along the bottom.</param>
    /// <param name="y">What is along the left side; empty for names of rows.</param>
    public Chart(double width, double height, string x, string y) => (_width, _height, _x, _y) = (width, height, x, y);

    /// <summary>Places along the bottom that are given.</summary>
    public void PlacesX(IReadOnlyList<double> places, IReadOnlyList<string> labels) => _ticksX = new Ticks(places, labels);

    /// <summary>Names of rows, the first at the top: row i is at -i.</summary>
    public void Rows(IReadOnlyList<string> names)
    {
        _ticksY = new Ticks([.. names.Select((_, index) => (double)-index)], [.. names.Select(name => Cut(name, 26))]);
        _left = Math.Max(_left, 18 + (LetterWidth * _ticksY.Labels.Max(label => label.Length)));
        _fixedY = (0.6 - names.Count, 0.6);
    }

    /// <summary>Leaves out what is above or below.</summary>
    public void LimitY(double low, double high) =>
        _fixedY = high > low ? (low - (0.06 * (high - low)), high + (0.06 * (high - low))) : null;

    /// <summary>A series' name in the legend.</summary>
    public void Name(Ink ink, string name) => _legend.Add((ink, Cut(name, 44)));

    /// <summary>A line through points, with marks where there are few.</summary>
    public void Line(Ink ink, IReadOnlyList<double> x, IReadOnlyList<double> y, bool marked)
    {
        Include(x, y);
        _drawing.Add(plot =>
        {
            var line = plot.Add.ScatterLine(x.ToArray(), y.ToArray(), ink.Color);
            line.LineWidth = 2;
            line.MarkerSize = 0;
            if (marked) Marks(plot, ink, x, y, 7, ink.Shape);
        });
    }

    /// <summary>The area between two lines.</summary>
    public void Band(Ink ink, IReadOnlyList<double> x, IReadOnlyList<double> low, IReadOnlyList<double> high)
    {
        Include(x, low);
        Include(x, high);
        _drawing.Add(plot =>
        {
            var band = plot.Add.FillY(x.ToArray(), low.ToArray(), high.ToArray());
            band.FillColor = ink.Color.WithAlpha(0.16);
            (band.LineWidth, band.MarkerSize) = (0, 0);
        });
    }

    /// <summary>Marks alone.</summary>
    public void Points(Ink ink, IReadOnlyList<double> x, IReadOnlyList<double> y, double size, MarkerShape? shape = null)
    {
        Include(x, y);
        _drawing.Add(plot => Marks(plot, ink, x, y, size, shape ?? ink.Shape));
    }

    /// <summary>A straight line between two points.</summary>
    public void Stroke(Ink ink, (double X, double Y) from, (double X, double Y) to, double width)
    {
        Include([from.X, to.X], [from.Y, to.Y]);
        _drawing.Add(plot =>
        {
            var line = plot.Add.Line(from.X, from.Y, to.X, to.Y);
            (line.LineColor, line.LineWidth) = (ink.Color, (float)width);
        });
    }

    /// <summary>A line at zero across the plot.</summary>
    public void Zero(bool vertical = false)
    {
        if (vertical) Include([0], [0]);
        else (_lowY, _highY) = (Math.Min(_lowY, 0), Math.Max(_highY, 0));
        _drawing.Add(plot =>
        {
            if (vertical) plot.Add.VerticalLine(0, 1.5f, Ink.Muted.Color);
            else plot.Add.HorizontalLine(0, 1.5f, Ink.Muted.Color);
        });
    }

    /// <summary>Draws it.</summary>
    /// <param name="title">Its name for those who do not see it.</param>
    /// <param name="description">What it shows.</param>
    public XElement Draw(string title, string description)
    {
        var legend = LegendRows();
        double top = (_y.Length > 0 ? RowHeight : 0) + (RowHeight * legend.Count) + 10, height = top + _height + Bottom;
        var (lowX, highX) = Room(_lowX, _highX);
        var (lowY, highY) = _fixedY ?? Room(_lowY, _highY);
        var ticksX = _ticksX ?? Ticks.Round(lowX, highX, 5);
        var ticksY = _ticksY ?? Ticks.Round(lowY, highY, 5);
        var svg = new XElement(
            "svg", new XAttribute("class", "plot"), new XAttribute("role", "img"),
            new XAttribute("viewBox", $"0 0 {N(_width)} {N(height)}"), new XElement("title", title), new XElement("desc", description));
        svg.Add(SvgCleaner.Clean(Geometry(top, height, (lowX, highX, lowY, highY), ticksX, ticksY)));
        if (_y.Length > 0) svg.Add(Text(4, 14, "start", "name", _y));
        for (int row = 0; row < legend.Count; row++)
        {
            double x = 4, y = (_y.Length > 0 ? RowHeight : 0) + (RowHeight * row) + 10;
            foreach (var (ink, name) in legend[row])
            {
                svg.Add(
                    new XElement(
                        "path", new XAttribute("class", $"{ink.Name} line"), new XAttribute("d", $"M{N(x)} {N(y)}h{N(SampleWidth - 6)}")),
                    new XElement(
                        "path", new XAttribute("class", $"{ink.Name} area"),
                        new XAttribute("d", Sample(ink.Shape, x + (SampleWidth / 2) - 3, y))));
                svg.Add(Text(x + SampleWidth, y + 4, "start", "name", name));
                x += EntryWidth(name);
            }
        }

        for (int i = 0; i < ticksX.Places.Count; i++)
            svg.Add(
                Text(
                    _left + ((_width - _left - Right) * (ticksX.Places[i] - lowX) / (highX - lowX)), top + _height + 18, "middle", "tick",
                    ticksX.Labels[i]));
        for (int i = 0; i < ticksY.Places.Count; i++)
            svg.Add(
                Text(
                    _left - 8, top + (_height * (highY - ticksY.Places[i]) / (highY - lowY)) + 4, "end", _y.Length > 0 ? "tick" : "name",
                    ticksY.Labels[i]));
        svg.Add(Text(_left + ((_width - _left - Right) / 2), height - 6, "middle", "name", _x));
        return svg;
    }

    private string Geometry(
        double top, double height, (double LowX, double HighX, double LowY, double HighY) limits, Ticks ticksX, Ticks ticksY)
    {
        using var plot = new Plot();
        plot.FigureBackground.Color = plot.DataBackground.Color = Colors.Transparent;
        plot.Layout.Fixed(new PixelPadding((float)_left, (float)Right, (float)Bottom, (float)top));
        foreach (var axis in plot.Axes.GetAxes())
        {
            axis.TickLabelStyle.IsVisible = false;
            axis.FrameLineStyle.Width = axis.MajorTickStyle.Length = axis.MinorTickStyle.Length = 0;
        }

        plot.Axes.Bottom.TickGenerator = new NumericManual([.. ticksX.Places], [.. ticksX.Places.Select(_ => "")]);
        plot.Axes.Left.TickGenerator = new NumericManual([.. ticksY.Places], [.. ticksY.Places.Select(_ => "")]);
        plot.Grid.MajorLineColor = Ink.Grid.Color;
        foreach (var draw in _drawing) draw(plot);
        plot.Axes.SetLimits(limits.LowX, limits.HighX, limits.LowY, limits.HighY);
        return plot.GetSvgXml((int)_width, (int)height);
    }

    private static void Marks(Plot plot, Ink ink, IReadOnlyList<double> x, IReadOnlyList<double> y, double size, MarkerShape shape)
    {
        var marks = plot.Add.ScatterPoints(x.ToArray(), y.ToArray(), ink.Color);
        (marks.MarkerShape, marks.MarkerSize) = (shape, (float)size);
        marks.MarkerLineWidth = 1.5f;
    }

    private void Include(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        foreach (double value in x.Where(double.IsFinite)) (_lowX, _highX) = (Math.Min(_lowX, value), Math.Max(_highX, value));
        foreach (double value in y.Where(double.IsFinite)) (_lowY, _highY) = (Math.Min(_lowY, value), Math.Max(_highY, value));
    }

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

    private static double EntryWidth(string name) => SampleWidth + (LetterWidth * name.Length) + 14;

    private static (double Low, double High) Room(double low, double high)
    {
        if (!double.IsFinite(low)) return (0, 1);
        double room = high > low ? 0.05 * (high - low) : Math.Max(1e-3, Math.Abs(low) * 0.1);
        return (low - room, high + room);
    }

    /// <summary>The mark of a legend, like ScottPlot's.</summary>
    private static string Sample(MarkerShape shape, double x, double y) => shape switch
    {
        MarkerShape.FilledSquare => $"M{N(x - 3.5)} {N(y - 3.5)}h7v7h-7z",
        MarkerShape.FilledTriangleUp => $"M{N(x)} {N(y - 4)}l4 7h-8z",
        MarkerShape.FilledTriangleDown => $"M{N(x)} {N(y + 4)}l4 -7h-8z",
        MarkerShape.FilledDiamond => $"M{N(x)} {N(y - 4.5)}l4.5 4.5l-4.5 4.5l-4.5 -4.5z",
        _ => $"M{N(x - 3.5)} {N(y)}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z",
    };

    private static XElement Text(double x, double y, string anchor, string style, string text) =>
        new(
            "text", new XAttribute("x", N(x)), new XAttribute("y", N(y)), new XAttribute("text-anchor", anchor),
            new XAttribute("class", style), text);

    private static string Cut(string text, int most) => text.Length <= most ? text : text[..(most - 1)] + "…";

    private static string N(double number) => number.ToString("0.#", CultureInfo.InvariantCulture);
}
