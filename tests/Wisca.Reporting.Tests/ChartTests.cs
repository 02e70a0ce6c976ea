using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Wisca.Reporting.Plots;

namespace Wisca.Reporting.Tests;

public sealed partial class ChartTests
{
    /// <summary>ScottPlot places the grid, and text is placed by arithmetic of our own: they must agree.</summary>
    [Fact]
    public void Draw_LabelsOfTicks_StandAtGridLines()
    {
        var chart = new Chart(640, 260, "tokens", "loss");
        chart.Name(Ink.Series[0], "one");
        chart.Line(Ink.Series[0], [0, 130, 990], [2.5, 1.25, 0.75], marked: true);
        var svg = chart.Draw("title", "description");
        var grid = svg.Elements("path")
            .Where(path => ((string)path.Attribute("class")!).StartsWith("grid", StringComparison.Ordinal))
            .Select(path =>
                Numbers()
                    .Matches((string)path.Attribute("d")!)
                    .Select(match => double.Parse(match.Value, CultureInfo.InvariantCulture))
                    .Chunk(4)
                    .ToList())
            .ToList();
        grid.Count.ShouldBe(2);
        var ticks = svg.Elements("text").Where(text => (string)text.Attribute("class")! == "tick").ToList();
        var bottom = ticks.Where(text => (string)text.Attribute("text-anchor")! == "middle").ToList();
        var left = ticks.Where(text => (string)text.Attribute("text-anchor")! == "end").ToList();
        bottom.Select(text => text.Value).ShouldBe(["0", "200", "400", "600", "800", "1000"]);
        left.Select(text => text.Value).ShouldBe(["1.0", "1.5", "2.0", "2.5"]);
        for (int i = 0; i < bottom.Count; i++) ((double)bottom[i].Attribute("x")!).ShouldBe(grid[0][i][0], 0.11);
        for (int i = 0; i < left.Count; i++) ((double)left[i].Attribute("y")! - 4).ShouldBe(grid[1][i][1], 0.11);
    }

    /// <summary>Points at known places, by the ticks around them.</summary>
    [Fact]
    public void Draw_Points_AreWhereTheAxesSay()
    {
        var chart = new Chart(640, 260, "x", "y");
        chart.Points(Ink.Series[3], [0, 5, 10], [0, 1, 4], 6, ScottPlot.MarkerShape.FilledCircle);
        var svg = chart.Draw("title", "description");
        double Place(string label, string anchor, string axis) =>
            (double)
                svg.Elements("text")
                    .First(text => text.Value == label && (string)text.Attribute("text-anchor")! == anchor)
                    .Attribute(axis)!;
        var dots = svg.Descendants("ellipse").Select(dot => (X: (double)dot.Attribute("cx")!, Y: (double)dot.Attribute("cy")!)).ToList();
        dots.Count.ShouldBe(3);
        double zero = Place("0", "middle", "x"),
            ten = Place("10", "middle", "x"),
            low = Place("0", "end", "y") - 4,
            high = Place("4", "end", "y") - 4;
        foreach (var (dot, x, y) in dots.Zip([0.0, 5, 10], [0.0, 1, 4]))
        {
            dot.X.ShouldBe(zero + ((ten - zero) * x / 10), 0.11);
            dot.Y.ShouldBe(low + ((high - low) * y / 4), 0.11);
        }
    }

    [Fact]
    public void Draw_ALineWithAHole_IsDrawnInTwoParts()
    {
        var chart = new Chart(640, 260, "x", "y");
        chart.Line(Ink.Series[1], [0, 1, 2, 3, 4], [1, 2, double.NaN, 2, 1], marked: false);
        string[] paths =
        [
            .. chart
                .Draw("title", "description")
                .Elements("svg")
                .Elements("path")
                .Where(path => (string)path.Attribute("class")! == "k1 line")
                .Select(path => (string)path.Attribute("d")!),
        ];
        string.Concat(paths).Count(c => c == 'M').ShouldBe(2);
        string.Concat(paths).ShouldNotContain("NaN");
    }

    [Theory]
    [InlineData(0, 1, "0.0 0.2 0.4 0.6 0.8 1.0")]
    [InlineData(-0.0131, 0.0092, "-0.010 -0.005 0.000 0.005")]
    [InlineData(0, 1_536_000, "0 0.2M 0.4M 0.6M 0.8M 1M 1.2M 1.4M")]
    [InlineData(1.93, 1.9302, "1.93000 1.93005 1.93010 1.93015 1.93020")]
    public void Round_Range_GivesRoundPlacesWithinIt(double low, double high, string labels)
    {
        var ticks = Ticks.Round(low, high, 5);
        string.Join(' ', ticks.Labels).ShouldBe(labels);
        ticks.Places.ShouldAllBe(place => place >= low - 1e-9 && place <= high + 1e-9);
    }

    [GeneratedRegex(@"-?\d+(\.\d+)?")]
    private static partial Regex Numbers();
}
