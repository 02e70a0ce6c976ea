using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using SkiaSharp;
using Wisca.Tests.Studies;

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
            using var picture = SKBitmap.Decode(await plots.Nth(index).ScreenshotAsync());
            var colors = picture.Pixels.GroupBy(pixel => pixel).Select(group => group.Count()).OrderDescending().ToList();
            colors.Count.ShouldBeGreaterThan(20, "ink of several colours, and their edges");
            (picture.Pixels.Length - colors[0]).ShouldBeGreaterThan(picture.Pixels.Length / 100, "paper is not all there is");
        }
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
