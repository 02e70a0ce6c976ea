using System.Xml;
using System.Xml.Linq;
using Wisca.Tests.Studies;

namespace Wisca.Reporting.Tests;

/// <summary>A report's page, read as XML by the framework's own parser.</summary>
internal static class Page
{
    private static readonly Lazy<string> RealisticPage = new(() => Html(RealisticStudy));

    private static readonly Lazy<MadeStudy> Made = new(MadeStudy.Realistic);

    public static MadeStudy RealisticStudy => Made.Value;

    /// <summary>The page of <see cref="MadeStudy.Realistic"/>, made once.</summary>
    public static string Realistic => RealisticPage.Value;

    public static string Html(MadeStudy study) => StudyPages.Html(study.Report, study.Results);

    public static XElement Of(MadeStudy study) => Parse(Html(study));

    public static XElement Parse(string html)
    {
        using var reader = XmlReader.Create(new StringReader(html), new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore });
        return XDocument.Load(reader, LoadOptions.PreserveWhitespace).Root!;
    }

    /// <summary>The rows of the body of the first table whose caption begins so.</summary>
    public static IReadOnlyList<IReadOnlyList<XElement>> Rows(this XElement page, string caption) =>
        [
            .. page.Descendants("table")
                .First(table => table.Element("caption")!.Value.StartsWith(caption, StringComparison.Ordinal))
                .Element("tbody")!
                .Elements("tr")
                .Select(row => row.Elements().ToList()),
        ];

    public static IEnumerable<XElement> Plots(this XElement page) =>
        page.Descendants("svg").Where(svg => (string?)svg.Attribute("class") == "plot");
}
