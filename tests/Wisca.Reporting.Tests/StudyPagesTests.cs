using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Wisca.Comparison.Reports;
using Wisca.Comparison.Results;
using Wisca.Comparison.Statistics;
using Wisca.Tests;
using Wisca.Tests.Studies;

namespace Wisca.Reporting.Tests;

public sealed class StudyPagesTests
{
    private const string Variable = "WISCA_WRITE_GOLDEN";

    private static readonly (string Name, double Effect)[] Hostile =
    [
        ("<script>window.hacked = 1</script>", -0.01), ("\"'><img src=x onerror=window.hacked=1>", 0.01),
        ("a & b\u0001\ud800 | `c` [d](e) *f* ]]>", -0.02),
    ];

    [Fact]
    public void Html_Realistic_NeedsNothingBesideIt()
    {
        string html = Page.Realistic;
        html.ShouldNotContain("http:");
        html.ShouldNotContain("https:");
        html.ShouldNotContain("//", Case.Sensitive, "no address without a scheme, and no comment that hides the rest of a line");
        html.ShouldNotContain("@import");
        html.ShouldNotContain("url(");
        var page = Page.Parse(html);
        page.Descendants()
            .ShouldAllBe(element =>
                element.Attribute("src") == null && element.Attribute("srcset") == null && element.Attribute("style") == null);
        string[] anchors = [.. page.Descendants().Attributes("id").Select(id => id.Value)];
        anchors.ShouldBeUnique();
        foreach (string link in page.Descendants().Attributes("href").Select(href => href.Value).Where(link => link != "data:,"))
            anchors.ShouldContain(link[1..]);
        foreach (
            string named in page.Descendants()
                .SelectMany(element =>
                    element.Attributes().Where(attribute => attribute.Name.LocalName is "aria-labelledby" or "aria-describedby"))
                .Select(attribute => attribute.Value))
            anchors.ShouldContain(named);
    }

    [Fact]
    public void Html_Realistic_IsReadInHtmlAsInXml()
    {
        string html = Page.Realistic;
        var page = Page.Parse(html);

        // HTML does not read references in scripts and styles, and takes <td/> for a start tag.
        foreach (var raw in page.Descendants().Where(element => element.Name.LocalName is "script" or "style"))
            Regex.IsMatch(raw.Value, "[<>&]").ShouldBeFalse(raw.Name.LocalName);
        Regex
            .Matches(html, "<([a-z0-9]+)[^<>]*/>")
            .Select(match => match.Groups[1].Value)
            .Distinct()
            .ShouldBeSubsetOf(["meta", "link", "path"]);
        page.Descendants("script").Count().ShouldBe(1);
        page.Descendants("h1").Count().ShouldBe(1);
        page.Attribute("lang")!.Value.ShouldBe("en");
        page.Descendants("main").Count().ShouldBe(1);
        page.Descendants("table").ShouldAllBe(table => table.Element("caption")!.Value.Length > 0);
        page.Descendants("th").ShouldAllBe(header => header.Attribute("scope") != null);
        page.Descendants("figure").ShouldAllBe(figure => figure.Descendants("table").Count() == 1);
    }

    [Fact]
    public void Html_Realistic_HasThePlotsAndTheyAreDrawnInInksOfTheStyleSheet()
    {
        var page = Page.Parse(Page.Realistic);
        string[] titles = [.. page.Descendants("figcaption").Select(caption => caption.Element("strong")!.Value)];
        foreach (
            string title in (string[])
                [
                    "Paired differences of test loss", "Test loss over training (1 of 2)", "Difference at equal tokens (2 of 2)",
                    "Test loss against learning rate (1 of 2)", "Training loss (1 of 2)", "Imbalance over time", "Factors applied",
                    "Norms over time",
                ])
            titles.ShouldContain(title);
        titles.Count(title => title == "Imbalance over time").ShouldBe(12, "an arm each, of both models");
        foreach (var plot in page.Plots())
        {
            plot.Element("title")!.Value.ShouldNotBeEmpty();
            plot.Element("desc")!.Value.ShouldNotBeEmpty();
            plot.Attribute("width").ShouldBeNull();
            plot.Elements("svg").Sum(window => window.Elements().Count()).ShouldBeGreaterThan(1, plot.Element("title")!.Value);
            plot.Descendants()
                .Where(shape => shape.Name.LocalName is not ("svg" or "title" or "desc" or "text"))
                .ShouldAllBe(shape =>
                    shape.Name.LocalName == "path"
                    && Regex.IsMatch((string)shape.Attribute("class")!, "^(k[0-5]|grid|muted) (line|area)( thin)?$"));
            plot.Descendants()
                .Attributes()
                .ShouldAllBe(attribute => attribute.Name.LocalName != "fill" && attribute.Name.LocalName != "stroke");
        }
    }

    [Fact]
    public void Html_Realistic_ShowsTheNumbersOfStudyJson()
    {
        var study = Page.RealisticStudy;
        using var temporary = new TemporaryFolder();
        using var folder = new StudyFolder(temporary["study"]);
        StudyFolder.Write(folder.ReportPath, study.Report);
        foreach (var result in study.Results.Values) folder.WriteResult(result);
        var report = StudyReport.Load(folder);
        string html = StudyPages.Html(report, folder.ReadResults().ById);
        html.ShouldBe(Page.Realistic, "the folder alone is enough");
        var model = report.Models[0];
        var rows = Page.Parse(html).Rows("Arms of large-rates: llama");
        rows.Count.ShouldBe(9);
        foreach (var (arm, row) in model.Arms.Zip(rows))
        {
            row[0].Value.ShouldBe(arm.Name);
            Value(row[6]).ShouldBe(arm.TestLoss);
            if (arm.AtBest is not { } best) continue;
            Value(row[2]).ShouldBe(best.PerplexityChange);
            Value(row[3]).ShouldBe(best.Loss.Mean);
            row[3]
                .Value.ShouldBe(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{best.Loss.Mean:+0.0000;-0.0000} [{best.Loss.Interval!.Low:+0.0000;-0.0000}, "
                        + $"{best.Loss.Interval.High:+0.0000;-0.0000}]"));
            Value(row[5]).ShouldBe(best.HolmPValue);
        }

        static double? Value(XElement cell) =>
            cell.Attribute("data-value") is { } value ? double.Parse(value.Value, CultureInfo.InvariantCulture) : null;
    }

    [Fact]
    public void Html_HostileNames_AreTextAndNothingElse()
    {
        var study = MadeStudy.Of("<b>\"main\"</b>", "llama'&", Hostile, [1, 2, 3], [1e-3, 3e-3]);
        string html = StudyPages.Html(
            study.Report with
            {
                Name = "</title><script>",
                Failures = [new RunFailure("0", "<i>", "</main>\u0002")],
            },
            study.Results);
        var page = Page.Parse(html);
        page.Descendants("script").Count().ShouldBe(1);
        page.Descendants().ShouldAllBe(element => !new[] { "img", "b", "i" }.Contains(element.Name.LocalName));
        page.Descendants().Attributes().ShouldAllBe(attribute => !attribute.Name.LocalName.StartsWith("on", StringComparison.Ordinal));
        page.Descendants("h1").Single().Value.ShouldBe("</title><script>");
        page.Rows("Arms of")
            .Select(row => row[0].Value)
            .ShouldBe(["origin", Hostile[0].Name, Hostile[1].Name, "a & b\ufffd\ufffd | `c` [d](e) *f* ]]>"]);
        page.Plots().Elements("text").Select(text => text.Value).ShouldContain(Hostile[0].Name[..25] + "…");
    }

    [Fact]
    public void Markdown_HostileNames_AreTextAndNothingElse()
    {
        var study = MadeStudy.Of("main", "llama", Hostile, [1, 2, 3], [1e-3, 3e-3]);
        var (text, plots) = StudyPages.Markdown(study.Report, study.Results);
        text.ShouldNotContain("<script");
        text.ShouldNotContain("<img");
        Regex.IsMatch(text, @"(?<!\\)\]\(e\)").ShouldBeFalse("no link");
        text.ShouldContain(@"a &amp; b  \| \`c\` [d\](e) \*f\* ]]>");
        var first = text.Split('\n')
            .SkipWhile(line => !line.StartsWith("| arm | shows", StringComparison.Ordinal))
            .TakeWhile(line => line.StartsWith('|'))
            .ToList();
        first.Count.ShouldBe(6);
        first.ShouldAllBe(row => Regex.Count(row, @"(?<!\\)\|") == 13);
        foreach (string svg in plots.Values) XDocument.Parse(svg).Root!.Name.LocalName.ShouldBe("svg");
        Regex
            .Matches(text, @"\]\(plots/([a-z0-9-]+\.svg)\)")
            .Select(match => match.Groups[1].Value)
            .Order(StringComparer.Ordinal)
            .ShouldBe(plots.Keys);
    }

    [Theory]
    [InlineData("one seed")]
    [InlineData("no runs in the folder")]
    [InlineData("all diverged")]
    [InlineData("nothing finished")]
    [InlineData("baseline alone")]
    public void Html_Unusual_IsWrittenAllTheSame(string what)
    {
        var study = MadeStudy.Small();
        var (report, results) = what switch
        {
            "one seed" => (
                MadeStudy.Of("main", "llama", [("wisca", -0.01)], [1], [3e-3]).Report,
                MadeStudy.Of("main", "llama", [("wisca", -0.01)], [1], [3e-3]).Results),
            "no runs in the folder" => (study.Report, []),
            "all diverged" => (
                study.Report with
                {
                    Models = [.. study.Report.Models.Select(Diverged)],
                },
                study.Results.ToDictionary(
                    entry => entry.Key,
                    entry =>
                        entry.Value with
                        {
                            Outcome = RunOutcome.Diverged,
                            HeldOut = [],
                            TrainingLoss = [new LossPoint(1, 1024, double.NaN)],
                            Imbalances = [],
                            Norms = [],
                        })),
            "nothing finished" => (study.Report with { Models = [], Verdicts = [], Finished = 0, Environments = [] }, []),
            _ => (
                study.Report with
                {
                    Models = [.. study.Report.Models.Select(model => model with { Arms = [model.Arms[0]], Comparisons = 0 })],
                },
                study.Results),
        };
        var page = Page.Parse(StudyPages.Html(report, results));
        page.Descendants("section").Count().ShouldBeGreaterThan(3);
        page.Value.ShouldNotContain("NaN");
        StudyPages.Markdown(report, results).Text.ShouldNotContain("NaN");
        page.Descendants("figure").Any().ShouldBe(what is "one seed" or "no runs in the folder" or "baseline alone");

        static ComparedModel Diverged(ComparedModel model) => model with
        {
            Comparisons = 0,
            Arms = [.. model.Arms.Select(arm => arm with
            {
                BestLearningRate = null, TestLoss = null, Perplexity = null, EqualTokens = [], EqualLoss = null, LearningRates = [3e-3],
                Runs = [.. arm.Runs.Select(run => run with { Outcome = RunOutcome.Diverged, Validation = null, Test = null })],
                AtBest = arm.AtBest is null
                    ? null
                    : new ArmDifference(
                        3e-3, 3e-3, PairedComparison.Of([], 0.95), PairedComparison.Of([], 0.95), double.NaN, null, 2),
                AtEqualRates = [],
            })],
        };
    }

    [Fact]
    public void Html_DivergedRuns_AreMarkedAndNamed()
    {
        var page = Page.Parse(Page.Realistic);
        page.Rows("Finished runs").Count(row => row[6].Value == "diverged").ShouldBe(3);
        page.Value.ShouldContain("large-rates/llama/attention-lr-2 lr 1e-2 seed 2: the loss was not finite at step 212");
        page.Rows("At equal learning rates").Last(row => row[0].Value == "attention-lr-2")[4].Value.ShouldEndWith("3 of 6 pairs diverged");
    }

    [Fact]
    public void Write_Twice_GivesTheSameBytes()
    {
        using var temporary = new TemporaryFolder();
        foreach (string name in (string[])["a", "b"])
            StudyPages.Write(
                MadeStudy.Small().Report, MadeStudy.Small().Results, temporary[name, "report.html"], temporary[name, "report.md"]);
        string[] Files(string name) =>
            [
                .. Directory
                    .EnumerateFiles(temporary[name], "*", SearchOption.AllDirectories)
                    .Select(file => Path.GetRelativePath(temporary[name], file))
                    .Order(StringComparer.Ordinal),
            ];
        Files("a")
            .ShouldBe([
                "plots/main-llama-curves.svg", "plots/main-llama-differences.svg", "plots/main-llama-equal-tokens.svg", "report.html",
                "report.md",
            ]);
        Files("b").ShouldBe(Files("a"));
        foreach (string file in Files("a")) File.ReadAllBytes(temporary["b", file]).ShouldBe(File.ReadAllBytes(temporary["a", file]));
    }

    /// <summary>Loss over time where every run of an arm was timed, and what rotations saw where there were any.</summary>
    [Fact]
    public void Html_TimedRunsAndRotations_AreDrawn()
    {
        var study = MadeStudy.Small();
        string[] before = [.. Titles()];
        before.ShouldNotContain("Test loss over time");
        before.ShouldNotContain(title => title.StartsWith("How diagonal"));
        var rotated = new RotationSeries("stream", [20, 40, 60], [30, 4, 3], [0.2, 0.8, 0.85], [0.9, 0.95, 0.96]);
        foreach (var (id, result) in study.Results.ToList())
            study.Results[id] = result with
            {
                ProcessorSeconds = 100,
                Rotations = result.Label.Contains(MadeStudy.Baseline) ? null : [rotated],
            };
        Titles().Except(before).ShouldBe(["Test loss over time", "How diagonal the covariance is: stream"]);
        var rows = Page.Of(study).Descendants("table")
            .Single(table => table.Element("caption")!.Value.StartsWith("How diagonal"))
            .Descendants("td").Select(cell => cell.Value).ToList();
        rows.ShouldContain("0.8000");

        // One run without a time: its arm is left out.
        string baseline = study.Results.First(entry => entry.Value.Label.Contains(MadeStudy.Baseline)).Key;
        study.Results[baseline] = study.Results[baseline] with { ProcessorSeconds = null };
        Page.Of(study).Descendants("table")
            .Single(table => table.Element("caption")!.Value.StartsWith("Test loss over time"))
            .Descendants("th").Select(header => header.Value).ShouldNotContain(MadeStudy.Baseline);

        List<string> Titles() => [.. Page.Of(study).Descendants("figure").Select(figure => figure.Descendants("strong").First().Value)];
    }

    /// <summary>Where another report is wanted, set WISCA_WRITE_GOLDEN=1 and run this:
    /// the differences of the files belong to the commit.</summary>
    [Fact]
    public void Markdown_SmallStudy_IsTheGolden() =>
        Golden("small.md", StudyPages.Markdown(MadeStudy.Small().Report, MadeStudy.Small().Results).Text);

    [Fact]
    public void Html_SmallStudy_HasTheGoldenOutline()
    {
        var outline = new StringBuilder();
        Outline(Page.Of(MadeStudy.Small()), 0);
        Golden("small.outline", outline.ToString());

        void Outline(XElement element, int depth)
        {
            outline.Append(' ', depth).Append(element.Name.LocalName);
            if (element.Attribute("class") is { } style) outline.Append('.').Append(style.Value.Replace(' ', '.'));
            if (element.Attribute("role") is { } role) outline.Append(" [").Append(role.Value).Append(']');
            outline.Append('\n');
            if (element.Name.LocalName is "svg" or "thead" or "tbody") return;
            foreach (var inner in element.Elements()) Outline(inner, depth + 1);
        }
    }

    private static void Golden(string name, string text)
    {
        string path = TestRepository.PathOf("tests", "Wisca.Reporting.Tests", "Golden", name);
        if (Environment.GetEnvironmentVariable(Variable) == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text);
        }

        text.ShouldBe(File.ReadAllText(path).ReplaceLineEndings("\n"), $"set {Variable}=1 to write it anew");
    }
}
