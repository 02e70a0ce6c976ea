using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Wisca.Tests.Studies;
using Wisca.Reporting.Documents;
using Wisca.Reporting.Plots;

namespace Wisca.Reporting.Tests;

/// <summary>The report as a real browser shows it.</summary>
public sealed partial class BrowserTests(BrowserFixture browser) : IClassFixture<BrowserFixture>
{
    [Fact]
    public async Task Open_Page_SaysNothingAndAsksForNothing()
    {
        await using var opened = await browser.Open();
        await opened.Page.EvaluateAsync("document.querySelectorAll('details').forEach(function (one) { one.open = true; })");
        await opened.Page.EvaluateAsync("new Promise(function (done) { setTimeout(done, 200); })");
        opened.Said.ShouldBeEmpty();
        opened.Requests.Where(url => !url.StartsWith("data:", StringComparison.Ordinal)).ShouldHaveSingleItem().ShouldStartWith("file:");
        (await opened.Page.TitleAsync()).ShouldBe("made-study");
    }

    [Fact]
    public async Task Open_HostileNames_RunNothing()
    {
        var study = MadeStudy.Of(
            "main", "llama", [("<script>window.hacked=1</script>", -0.01), ("\"'><img src=x onerror=window.hacked=1>", 0.01)], [1, 2, 3],
            [1e-3, 3e-3]);
        await using var opened = await browser.Open("hostile", () => Page.Html(study));
        (await opened.Page.EvaluateAsync<bool>("'hacked' in window")).ShouldBeFalse();
        (await opened.Page.Locator("img").CountAsync()).ShouldBe(0);
        (await opened.Page.Locator("table.sortable tbody th").Nth(1).InnerTextAsync()).ShouldBe("<script>window.hacked=1</script>");
        opened.Said.ShouldBeEmpty();
    }

    [Fact]
    public async Task Plots_AllOpened_AreVisibleAndDrawn()
    {
        await using var opened = await browser.Open();
        await opened.Page.EvaluateAsync("document.querySelectorAll('details').forEach(function (one) { one.open = true; })");
        int[] sizes = await opened.Page.EvaluateAsync<int[]>(
            "Array.from(document.querySelectorAll('svg.plot')).flatMap(function (plot) { var box = plot.getBoundingClientRect(); return "
            + "[Math.round(box.width), Math.round(box.height)]; })");
        sizes.Length.ShouldBeGreaterThan(100);
        sizes.ShouldAllBe(size => size >= 100);

        // A shape whose class the style sheet does not know would be drawn black, and a series without ink is not there.
        string[] unknown = await opened.Page.EvaluateAsync<string[]>(
            "Array.from(document.querySelectorAll('svg.plot .line, svg.plot .area')).filter(function (shape) { var style = "
            + "getComputedStyle(shape); return style.stroke === 'none' && (style.fill === 'none' || style.fill === 'rgb(0, 0, 0)'); "
            + "}).map(function (shape) { return shape.outerHTML; })");
        unknown.ShouldBeEmpty();
        var plots = opened.Page.Locator("svg.plot");
        int count = await plots.CountAsync();
        foreach (int index in (int[])[0, 1, 3, 5, count - 1])
        {
            int[] colors = await Colors(await plots.Nth(index).ScreenshotAsync());
            colors.Length.ShouldBeGreaterThan(20, "ink of several colours, and their edges");
            (colors.Sum() - colors[0]).ShouldBeGreaterThan(colors.Sum() / 100, "paper is not all there is");
        }
    }

    /// <summary>Text is placed by an estimate of its width: a browser knows the width.</summary>
    [Fact]
    public async Task Plots_TheirText_IsInsideAndApart()
    {
        await using var opened = await browser.Open();
        await opened.Page.EvaluateAsync("document.querySelectorAll('details').forEach(function (one) { one.open = true; })");
        (await Collisions(opened)).ShouldBeEmpty();

        var small = new Chart(440, 180, "difference of something, nats", "");
        small.Rows([new string('w', 20), "second"]);
        small.Zero(vertical: true);
        small.Points(Ink.Series[1], [-0.000123456, 0.00034], [0, -1], 8);
        var large = new Chart(440, 180, "tokens", "loss");
        foreach (var ink in Ink.Series) large.Name(ink, $"a series of some length, {ink.Name}");
        large.Line(Ink.Series[1], [1e9, 1.00001e9], [-1.23456789, -1.23456779], marked: true);
        var rates = new Chart(440, 180, "learning rate", "loss");
        rates.PlacesX([.. Enumerable.Range(0, 40).Select(i => i / 10.0)], [.. Enumerable.Range(0, 40).Select(i => $"1.{i}e-3")]);
        rates.Points(Ink.Series[2], [0, 4], [1e12, -1e15], 8);
        await using var extreme = await browser.Open("extreme", () => Html(small, large, rates));
        (await extreme.Page.Locator("text.tick").CountAsync()).ShouldBeGreaterThan(15);
        (await Collisions(extreme)).ShouldBeEmpty();

        static Task<string[]> Collisions(OpenedPage opened) => opened.Page.EvaluateAsync<string[]>(
            """
            Array.from(document.querySelectorAll('svg.plot')).flatMap(function (plot) {
              var found = [], all = plot.getBoundingClientRect();
              var texts = Array.from(plot.querySelectorAll('text')).map(function (text) {
                return { text: text.textContent, box: text.getBoundingClientRect() };
              });
              texts.forEach(function (one, index) {
                var a = one.box;
                var inside = a.left >= all.left && a.right <= all.right && a.top >= all.top && a.bottom <= all.bottom;
                if (!inside) found.push(one.text + ' is outside');
                texts.slice(0, index).forEach(function (other) {
                  var b = other.box;
                  var apart = a.left >= b.right || b.left >= a.right || a.top >= b.bottom || b.top >= a.bottom;
                  if (!apart) found.push(one.text + ' covers ' + other.text);
                });
              });
              return found;
            })
            """);
    }

    [Theory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public async Task Plots_WhatIsOutsideTheLimits_IsNotDrawn(ColorScheme scheme)
    {
        var chart = new Chart(640, 260, "x", "y");
        chart.LimitY(0, 1);
        chart.Line(Ink.Series[0], [0, 1, 2], [50, 0.5, -50], marked: false);
        await using var opened = await browser.Open($"clipped-{scheme}", () => Html(chart), scheme: scheme);
        var plot = opened.Page.Locator("svg.plot");
        var whole = (await plot.BoundingBoxAsync())!;
        async Task<double> Window(string name) =>
            double.Parse((await plot.Locator("svg").GetAttributeAsync(name))!, CultureInfo.InvariantCulture);

        // The line crosses the window in its middle, and leaves it above and below.
        int middle = (int)(whole.X + await Window("x") + (await Window("width") / 2)), top = (int)(whole.Y + await Window("y"));
        int bottom = top + (int)await Window("height");
        async Task<int> ColorsIn(int y, int height)
        {
            var clip = new Clip { X = middle - 12, Y = y, Width = 24, Height = height };
            return (await Colors(await opened.Page.ScreenshotAsync(new PageScreenshotOptions { Clip = clip }))).Length;
        }

        (await ColorsIn(top + 4, 40)).ShouldBeGreaterThan(1, "the line is there");
        (await ColorsIn(bottom - 44, 40)).ShouldBeGreaterThan(1);
        (await ColorsIn(top - 6, 5)).ShouldBe(1, "and ends at the edge of the plot");
        (await ColorsIn(bottom + 2, 5)).ShouldBe(1);
    }

    [Theory]
    [InlineData("click")]
    [InlineData("Enter")]
    [InlineData("Space")]
    public async Task Table_Sorted_IsInOrderAndSaysSo(string how)
    {
        await using var opened = await browser.Open();
        var table = opened.Page.Locator("table.sortable").First;
        var header = table.Locator("thead th").Nth(3);
        async Task Press()
        {
            if (how == "click") await header.Locator("button").ClickAsync();
            else
            {
                await header.Locator("button").FocusAsync();
                await opened.Page.Keyboard.PressAsync(how);
            }
        }

        async Task<double[]> Values()
        {
            string?[] values = await table.EvaluateAsync<string?[]>(
                "function (table) { return Array.from(table.tBodies[0].rows).map(function (row) { return "
                + "row.cells[3].getAttribute('data-value'); }); }");
            values[^1].ShouldBeNull("the baseline has no difference: last, whichever way");
            return [.. values[..^1].Select(value => double.Parse(value!, CultureInfo.InvariantCulture))];
        }

        double[] expected = [.. Page.RealisticStudy.Report.Models[0].Arms.Skip(1).Select(arm => arm.AtBest!.Loss.Mean).Order()];
        await Press();
        (await header.GetAttributeAsync("aria-sort")).ShouldBe("ascending");
        (await Values()).ShouldBe(expected);
        await Press();
        (await header.GetAttributeAsync("aria-sort")).ShouldBe("descending");
        (await Values()).ShouldBe(expected.Reverse());
        await table.Locator("thead th button").First.ClickAsync();
        (await header.GetAttributeAsync("aria-sort")).ShouldBe("none");
        (await table.Locator("tbody th").AllInnerTextsAsync()).ShouldBe([
            "attention-lr-2", "fisher", "init only", "kv-head", "lr-equivalent", "origin", "qk_ten", "qk_ten+vo_ten", "vo_ten",
        ]);
    }

    [Fact]
    public async Task Keyboard_FirstTab_SkipsToTheResults()
    {
        await using var opened = await browser.Open();
        await opened.Page.Keyboard.PressAsync("Tab");
        (await opened.Page.EvaluateAsync<string>("document.activeElement.textContent")).ShouldBe("Skip to the results");
        (await opened.Page.EvaluateAsync<double>("document.activeElement.getBoundingClientRect().left")).ShouldBeGreaterThanOrEqualTo(
            0,
            "it is seen while it has the focus");
        await opened.Page.Keyboard.PressAsync("Enter");
        opened.Page.Url.ShouldEndWith("#results");
    }

    [Theory]
    [InlineData(360)]
    [InlineData(1200)]
    public async Task Width_AllOpened_ScrollsInBoxesOnly(int width)
    {
        await using var opened = await browser.Open(width);
        await opened.Page.EvaluateAsync("document.querySelectorAll('details').forEach(function (one) { one.open = true; })");
        (await opened.Page.EvaluateAsync<int>("document.documentElement.scrollWidth")).ShouldBeLessThanOrEqualTo(width);
        if (width == 360)
            (
                await opened.Page.EvaluateAsync<bool>(
                    "(function () { var box = document.querySelector('.scroll'); return Math.sign(box.scrollWidth - box.clientWidth) === "
                    + "1; })()")
            ).ShouldBeTrue();
    }

    [Fact]
    public async Task Scheme_LightAndDark_BothHaveContrast()
    {
        var papers = new List<double>();
        foreach (var scheme in (ColorScheme[])[ColorScheme.Light, ColorScheme.Dark])
        {
            await using var opened = await browser.Open(scheme: scheme);
            async Task<double> Luminance(string selector, string property) =>
                Relative(await opened.Page.EvaluateAsync<string>($"getComputedStyle(document.querySelector('{selector}')).{property}"));
            double paper = await Luminance("body", "backgroundColor"), raised = await Luminance(".verdicts p", "backgroundColor");
            papers.Add(paper);
            foreach (
                var (selector, ground) in (IEnumerable<(string, double)>)
                    [
                        ("body", paper), (".lead", paper), ("nav a", paper), (".verdicts p", raised), ("thead th", paper),
                        (".badge.lower", paper), (".badge.higher", paper), ("summary", paper), ("pre", raised),
                    ])
                Contrast(await Luminance(selector, "color"), ground).ShouldBeGreaterThan(4.5, $"{selector}, {scheme}");
            Contrast(await Luminance("svg.plot .name", "fill"), paper).ShouldBeGreaterThan(4.5, $"names in plots, {scheme}");
            Contrast(await Luminance("svg.plot .tick", "fill"), paper).ShouldBeGreaterThan(4.5, $"ticks, {scheme}");
            foreach (string ink in (string[])["k0", "k1", "k2", "k3", "k4", "k5", "muted"])
                Contrast(await Luminance($"svg.plot .{ink}.line", "stroke"), paper).ShouldBeGreaterThan(3, $"{ink}, {scheme}");
        }

        papers[0].ShouldBeGreaterThan(0.9);
        papers[1].ShouldBeLessThan(0.02);
    }

    /// <summary>How many pixels of a picture have each of its colours, the most frequent first.</summary>
    private async Task<int[]> Colors(byte[] picture)
    {
        await using var empty = await browser.Open("empty", () => "<!DOCTYPE html><title>empty</title>");
        return await empty.Page.EvaluateAsync<int[]>(
            """
            async function (data) {
              var image = new Image(), canvas = document.createElement('canvas'), counts = new Map();
              image.src = 'data:image/png;base64,' + data;
              await image.decode();
              canvas.width = image.width;
              canvas.height = image.height;
              var context = canvas.getContext('2d');
              context.drawImage(image, 0, 0);
              new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer).forEach(function (pixel) {
                counts.set(pixel, (counts.get(pixel) || 0) + 1);
              });
              return Array.from(counts.values()).sort(function (a, b) { return b - a; });
            }
            """,
            Convert.ToBase64String(picture));
    }

    private static string Html(params Chart[] charts) =>
        $"<!DOCTYPE html><title>charts</title><style>{Style.Resource("colors.css")}{Style.Resource("plot.css")}"
        + "body { background: var(--paper); width: 640px; }</style>"
        + string.Concat(charts.Select(chart => chart.Draw("title", "description").ToString()));

    private static double Contrast(double one, double other) => (Math.Max(one, other) + 0.05) / (Math.Min(one, other) + 0.05);

    /// <summary>Relative luminance as WCAG 2 defines it.</summary>
    private static double Relative(string color)
    {
        double[] linear =
        [
            .. Numbers()
                .Matches(color)
                .Take(3)
                .Select(match => double.Parse(match.Value, CultureInfo.InvariantCulture) / 255)
                .Select(part => part <= 0.04045 ? part / 12.92 : Math.Pow((part + 0.055) / 1.055, 2.4)),
        ];
        return (0.2126 * linear[0]) + (0.7152 * linear[1]) + (0.0722 * linear[2]);
    }

    [GeneratedRegex(@"\d+(\.\d+)?")]
    private static partial Regex Numbers();
}
