using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Wisca.Reporting.Plots;

namespace Wisca.Reporting.Tests;

public sealed partial class ChartTests
{
    private const double Infinity = double.PositiveInfinity, NaN = double.NaN, Most = double.MaxValue;

    [Fact]
    public void Draw_LabelsOfTicks_StandAtGridLines()
    {
        var chart = Chart();
        chart.Name(Ink.Series[0], "one");
        chart.Line(Ink.Series[0], [0, 130, 990], [2.5, 1.25, 0.75], marked: true);
        var svg = Draw(chart);
        var window = Window(svg);
        double x = (double)window.Attribute("x")!, y = (double)window.Attribute("y")!;
        string[] grid = Data(svg, "grid line thin");
        grid.Length.ShouldBe(2);
        var bottom = Ticks(svg, "middle");
        var left = Ticks(svg, "end");
        bottom.Select(text => text.Value).ShouldBe(["0", "200", "400", "600", "800", "1000"]);
        left.Select(text => text.Value).ShouldBe(["1.0", "1.5", "2.0", "2.5"]);
        bottom.Select(text => (double)text.Attribute("x")!).ShouldBe(Parts(grid[0]).Select(part => x + part[0].X), 0.011);
        left.Select(text => (double)text.Attribute("y")! - 4).ShouldBe(Parts(grid[1]).Select(part => y + part[0].Y), 0.011);
    }

    /// <summary>Points at known places, by the ticks around them.</summary>
    [Fact]
    public void Draw_Points_AreWhereTheAxesSay()
    {
        var chart = Chart();
        chart.Points(Ink.Series[3], [0, 5, 10], [0, 1, 4], 6, Mark.Circle);
        var svg = Draw(chart);
        var window = Window(svg);
        double Place(string label, string anchor, string axis) =>
            (double)Ticks(svg, anchor).First(text => text.Value == label).Attribute(axis)! - (double)window.Attribute(axis)!;
        double zero = Place("0", "middle", "x"),
            ten = Place("10", "middle", "x"),
            low = Place("0", "end", "y") - 4,
            high = Place("4", "end", "y") - 4;
        var dots = Parts(Data(svg, "k3 area").ShouldHaveSingleItem()).Select(part => part[0]).ToList();
        dots.Count.ShouldBe(3);
        foreach (var (dot, x, y) in dots.Zip([0.0, 5, 10], [0.0, 1, 4]))
        {
            (dot.X + 3).ShouldBe(zero + ((ten - zero) * x / 10), 0.021, "an outline begins at its left");
            dot.Y.ShouldBe(low + ((high - low) * y / 4), 0.021);
        }
    }

    /// <summary>Corners of every mark, around a point at zero: each is symmetric about it and as large as the others.</summary>
    [Theory]
    [InlineData(nameof(Mark.Circle))]
    [InlineData(nameof(Mark.Square))]
    [InlineData(nameof(Mark.Triangle))]
    [InlineData(nameof(Mark.TriangleDown))]
    [InlineData(nameof(Mark.Diamond))]
    [InlineData(nameof(Mark.Cross))]
    public void Outline_OfEachMark_SurroundsItsPoint(string name)
    {
        var mark = Enum.Parse<Mark>(name);
        string outline = Svg.Outline(mark, 0, 0, 10);
        double x = 0, y = 0;
        var corners = new List<(double X, double Y)>();
        foreach (Match command in Commands().Matches(outline))
        {
            double[] by = [.. Numbers().Matches(command.Value).Select(match => double.Parse(match.Value, CultureInfo.InvariantCulture))];
            switch (command.Value[0])
            {
                case 'M': (x, y) = (by[0], by[1]); break;
                case 'h': x += by[0]; break;
                case 'v': y += by[0]; break;
                case 'l' or 'm': (x, y) = (x + by[0], y + by[1]); break;
                case 'a':
                    by[..2].ShouldBe([5, 5], "a circle's radius");
                    (x, y) = (x + by[5], y + by[6]);
                    break;
                default: continue;
            }

            corners.Add((x, y));
        }

        corners.Min(corner => corner.X).ShouldBe(-corners.Max(corner => corner.X), 0.011);
        corners.Max(corner => corner.X).ShouldBeInRange(5, 6.5);
        if (mark is Mark.Circle) corners.ShouldAllBe(corner => corner.Y == 0);
        else (corners.Max(corner => corner.Y) - corners.Min(corner => corner.Y)).ShouldBeInRange(10, 13);
        outline.EndsWith('z').ShouldBe(mark != Mark.Cross, "closed, so that it can be filled");
    }

    [Theory]
    [InlineData(NaN)]
    [InlineData(Infinity)]
    [InlineData(-Infinity)]
    [InlineData(Most)]
    public void Draw_ALineWithAHole_IsDrawnInTwoParts(double hole)
    {
        foreach (bool inX in (bool[])[false, true])
        {
            var chart = Chart();
            double[] x = [0, 1, 2, 3, 4], y = [1, 2, 2, 2, 1];
            (inX ? x : y)[2] = hole;
            chart.Line(Ink.Series[1], x, y, marked: false);
            var svg = Draw(chart);
            var parts = Parts(Data(svg, "k1 line").ShouldHaveSingleItem());
            parts.Select(part => part.Length).ShouldBe([2, 2]);
            parts[0][1].Y.ShouldBe(parts[1][0].Y);
            parts[1][0].X.ShouldBe(parts[0][1].X + (2 * (parts[0][1].X - parts[0][0].X)), 0.031, "the hole is as wide as what is missing");
            Data(svg, "k1 area").ShouldBeEmpty();
        }
    }

    [Fact]
    public void Draw_ABandWithAHole_IsTwoClosedAreas()
    {
        var chart = Chart();
        chart.Band(Ink.Series[2], [0, 1, 2, 3, 4, 5], [1, 1, 1, NaN, 1, 1], [2, 3, 2, 3, 2, 3]);
        string data = Data(Draw(chart), "k2 area").ShouldHaveSingleItem();
        data.Count(c => c == 'z').ShouldBe(2);
        var parts = Parts(data);
        parts.Select(part => part.Length).ShouldBe([6, 4]);

        // Along the lower edge and back along the upper.
        parts[0][..3].Select(point => point.Y).Distinct().ShouldHaveSingleItem().ShouldBeGreaterThan(parts[0][3..].Max(point => point.Y));
        parts[0][..3].Select(point => point.X).ShouldBe(parts[0][3..].Reverse().Select(point => point.X));
        parts[0].Select(point => point.X).Order().ShouldBe(parts[0][..3].SelectMany(point => (double[])[point.X, point.X]));
    }

    [Fact]
    public void Draw_APointBetweenHoles_IsSeen()
    {
        var chart = Chart();
        chart.Line(Ink.Series[1], [0, 1, 2, 3], [1, NaN, 2, NaN], marked: false);
        chart.Band(Ink.Series[2], [0, 1, 2, 3], [0, NaN, 1, NaN], [2, NaN, 3, NaN]);
        var svg = Draw(chart);
        Data(svg, "k1 line").ShouldBeEmpty();
        Parts(Data(svg, "k1 area").ShouldHaveSingleItem()).Count.ShouldBe(2, "two marks");
        foreach (var area in Parts(Data(svg, "k2 area").ShouldHaveSingleItem()))
        {
            (area.Max(point => point.X) - area.Min(point => point.X)).ShouldBe(2, 0.011);
            (area.Max(point => point.Y) - area.Min(point => point.Y)).ShouldBeGreaterThan(50);
            area.Length.ShouldBe(4);
        }
    }

    [Fact]
    public void Draw_BandsLinesAndMarks_StandInThatOrder()
    {
        var chart = Chart();
        foreach (var ink in Ink.Series)
        {
            chart.Line(ink, [0, 1], [0, 1], marked: true);
            chart.Band(ink, [0, 1], [0, 0], [1, 1]);
        }

        chart.Zero();
        string[] shapes =
        [
            .. Window(Draw(chart))
                .Elements()
                .Select(shape => shape.Attribute("fill-opacity") is not null ? "band" : ((string)shape.Attribute("class")!).Split(' ')[1])
                .Skip(2),
        ];
        shapes.ShouldBe([.. Enumerable.Repeat("band", 6), .. Enumerable.Repeat("line", 7), .. Enumerable.Repeat("area", 6)]);
    }

    [Fact]
    public void Draw_AboveTheLimits_KeepsTheLinesDirectionAndDropsTheMarks()
    {
        var chart = Chart();
        chart.LimitY(0, 1);
        chart.Line(Ink.Series[1], [0, 1, 2, 3], [1e30, 0.5, 0.25, -7], marked: true);
        var svg = Draw(chart);
        var window = Window(svg);
        double height = (double)window.Attribute("height")!;
        height.ShouldBe(260);
        var points = Parts(Data(svg, "k1 line").ShouldHaveSingleItem()).ShouldHaveSingleItem();
        points.Length.ShouldBe(4);
        points[0].Y.ShouldBeInRange(-1e6, -1e4, "a browser's numbers have seven digits");
        double enters = points[1].X + ((points[0].X - points[1].X) * points[1].Y / (points[1].Y - points[0].Y));
        enters.ShouldBe(points[1].X, 0.5, "straight down, as from infinitely far");

        // The limits are 0.06 of the range inside of the edges.
        points[3].Y.ShouldBe(260 * (1.06 + 7) / 1.12, 0.011);
        Parts(Data(svg, "k1 area").ShouldHaveSingleItem()).Count.ShouldBe(2);
    }

    [Theory]
    [InlineData(2.5, 2.5, 2.5)]
    [InlineData(0, 0, 0)]
    [InlineData(-1e-12, -1e-12, -1e-12)]
    [InlineData(1e300, 1e300, 1e300)]
    [InlineData(3, 3.0000000000000004, 3)]
    public void Draw_EqualValues_StandInTheMiddle(double first, double second, double third)
    {
        var chart = Chart();
        chart.Line(Ink.Series[0], [7, 7, 7], [first, second, third], marked: true);
        var svg = Draw(chart);
        double width = (double)Window(svg).Attribute("width")!;
        Parts(Data(svg, "k0 line").ShouldHaveSingleItem())
            .ShouldHaveSingleItem()
            .ShouldAllBe(point => Math.Abs(point.Y - 130) < 0.02 && Math.Abs(point.X - (width / 2)) < 0.02);
        Ticks(svg, "middle").Select(text => text.Value).ShouldBe(["7"]);
        Ticks(svg, "end").Count.ShouldBeGreaterThan(2);
    }

    [Theory]
    [InlineData(-1e300, 1e300)]
    [InlineData(0, 1e-320)]
    [InlineData(1e-200, 1e200)]
    [InlineData(1, 1.000000000001)]
    [InlineData(123456789.123, 123456790.321)]
    public void Draw_AnyRange_GivesShortNumbersAndDifferentLabels(double low, double high)
    {
        var chart = Chart();
        chart.Line(Ink.Series[0], [low, high, 0.5 * low], [low, high, 0.5 * low], marked: true);
        chart.Band(Ink.Series[1], [low, high], [low, low], [high, high]);
        chart.Stroke(Ink.Series[2], (low, low), (high, high));
        var svg = Draw(chart);
        foreach (
            string number in svg.DescendantsAndSelf()
                .Attributes()
                .Where(attribute => attribute.Name.LocalName is "d" or "x" or "y" or "width" or "height")
                .SelectMany(attribute => attribute.Value.Split([.. " MLHVZahlmvz"], StringSplitOptions.RemoveEmptyEntries)))
            Regex.IsMatch(number, @"^-?\d{1,6}(\.\d{1,2})?$").ShouldBeTrue(number);
        foreach (string anchor in (string[])["middle", "end"])
        {
            string[] labels = [.. Ticks(svg, anchor).Select(text => text.Value)];
            labels.ShouldNotBeEmpty();
            labels.ShouldBeUnique();
        }

        Data(svg, "k0 area").ShouldHaveSingleItem("something is there");
    }

    [Fact]
    public void Draw_Nothing_IsAnEmptyPlotWithAxes()
    {
        var chart = Chart();
        chart.Name(Ink.Series[0], "nothing");
        chart.Line(Ink.Series[0], [], [], marked: true);
        chart.Line(Ink.Series[1], [NaN, 1], [1, NaN], marked: true);
        chart.Band(Ink.Series[2], [], [], []);
        chart.Points(Ink.Series[3], [Infinity], [1], 5);
        chart.Stroke(Ink.Series[4], (0, NaN), (1, 1));
        var svg = Draw(chart);
        Window(svg).Elements().Select(shape => (string)shape.Attribute("class")!).ShouldBe(["grid line thin", "grid line thin"]);
        Ticks(svg, "middle").Count.ShouldBeGreaterThan(1);
        Ticks(svg, "end").Count.ShouldBeGreaterThan(1);
        svg.ToString().ShouldNotContain("NaN");
        svg.ToString().ShouldNotContain("∞");
    }

    [Fact]
    public void Draw_Whole_NamesItForThoseWhoDoNotSeeIt()
    {
        var svg = Chart().Draw("its title", "its description");
        ((string)svg.Attribute("role")!).ShouldBe("img");
        svg.Elements().Take(2).Select(element => (element.Name.LocalName, element.Value)).ShouldBe([
            ("title", "its title"), ("desc", "its description"),
        ]);
    }

    [Fact]
    public void Draw_GivenPlaces_LeavesOutLabelsThatTouchAndPlacesBesideThePlot()
    {
        double[] rates = [1e-5, 1e-3, 1.1e-3, 1e-1, 10];
        var chart = Chart();
        chart.PlacesX([.. rates.Select(Math.Log10)], ["1e-5", "1e-3", "1.1e-3", "1e-1", "1e1"]);
        chart.Points(Ink.Series[0], [-5, -3, -1], [1, 2, 3], 5);
        var svg = Draw(chart);
        Ticks(svg, "middle").Select(text => text.Value).ShouldBe(["1e-5", "1e-3", "1e-1"]);
        Parts(Data(svg, "grid line thin")[0]).Count.ShouldBe(3);
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(-0.001, "0")]
    [InlineData(0.005001, "0.01")]
    [InlineData(-12.5, "-12.5")]
    [InlineData(1e5, "100000")]
    [InlineData(1.0 / 3, "0.33")]
    public void Number_Any_HasTwoDecimalsAtMost(double number, string text) => Svg.Number(number).ShouldBe(text);

    private static Chart Chart() => new(640, 260, "x", "y");

    private static XElement Draw(Chart chart) => chart.Draw("title", "description");

    private static XElement Window(XElement svg) => svg.Elements("svg").ShouldHaveSingleItem();

    private static string[] Data(XElement svg, string style) =>
        [
            .. Window(svg)
                .Elements("path")
                .Where(path => (string)path.Attribute("class")! == style)
                .Select(path => (string)path.Attribute("d")!),
        ];

    private static List<XElement> Ticks(XElement svg, string anchor) =>
        [
            .. svg.Elements("text")
                .Where(text => (string)text.Attribute("class")! == "tick" && (string)text.Attribute("text-anchor")! == anchor),
        ];

    /// <summary>The parts of a path that begin anew, each with the points that it gives one after another.</summary>
    private static List<(double X, double Y)[]> Parts(string data) =>
        [
            .. Absolute()
                .Matches(data)
                .Select(part =>
                    Numbers()
                        .Matches(part.Value)
                        .Select(match => double.Parse(match.Value, CultureInfo.InvariantCulture))
                        .Chunk(2)
                        .Select(pair => (pair[0], pair[1]))
                        .ToArray()),
        ];

    [GeneratedRegex(@"-?\d+(\.\d+)?")]
    private static partial Regex Numbers();

    [GeneratedRegex(@"M[-\d. ]+")]
    private static partial Regex Absolute();

    [GeneratedRegex(@"[a-zM][-\d. ]*")]
    private static partial Regex Commands();
}
