using Wisca.Comparison.Reports;
using Wisca.Comparison.Results;
using Wisca.Files;
using Wisca.Reporting.Documents;
using Wisca.Reporting.Studies;

namespace Wisca.Reporting;

/// <summary>The report of a study, as one HTML page and as Markdown:
/// the same content, but for plots of single layers, which only the page has.</summary>
public static class StudyPages
{
    /// <summary>The name of the folder with the plots of a Markdown report, beside it.</summary>
    public const string PlotsFolder = "plots";

    /// <summary>The page: it needs nothing beside it, and no network.</summary>
    /// <param name="report">The statistics.</param>
    /// <param name="results">The runs' results by id; where one is missing, the statistics are there and its curves are not.</param>
    public static string Html(StudyReport report, IReadOnlyDictionary<string, RunResult> results) =>
        HtmlWriter.Write(Document(report, results));

    /// <summary>The Markdown, and the plots that it shows: SVG by file name.</summary>
    /// <param name="report">The statistics.</param>
    /// <param name="results">The runs' results by id.</param>
    public static (string Text, IReadOnlyDictionary<string, string> Plots) Markdown(
        StudyReport report,
        IReadOnlyDictionary<string, RunResult> results
    ) => MarkdownWriter.Write(Document(report, results), PlotsFolder);

    /// <summary>Writes the page and the Markdown, each file in one step.</summary>
    /// <param name="report">The statistics.</param>
    /// <param name="results">The runs' results by id.</param>
    /// <param name="html">The page's file; null for none.</param>
    /// <param name="markdown">The Markdown's file, with its plots in a folder beside it; null for none.</param>
    /// <exception cref="WiscaException">A file cannot be written.</exception>
    public static void Write(StudyReport report, IReadOnlyDictionary<string, RunResult> results, string? html, string? markdown)
    {
        var document = Document(report, results);
        var files = new List<(string Path, string Text)>();
        if (html is not null) files.Add((Path.GetFullPath(html), HtmlWriter.Write(document)));
        if (markdown is not null)
        {
            var (text, plots) = MarkdownWriter.Write(document, PlotsFolder);
            string folder = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(markdown))!, PlotsFolder);
            files.AddRange(plots.Select(plot => (Path.Combine(folder, plot.Key), plot.Value)));
            files.Add((Path.GetFullPath(markdown), text));
        }

        foreach (var (path, text) in files)
        {
            try
            {
                AtomicFolder.Ensure(Path.GetDirectoryName(path)!);
                AtomicFile.Write(path, text);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                throw new WiscaException($"{path} cannot be written: {exception.Message}", "choose another file with --out", exception);
            }
        }
    }

    private static Document Document(StudyReport report, IReadOnlyDictionary<string, RunResult> results)
    {
        ArgumentNullException.ThrowIfNull(report);
        ArgumentNullException.ThrowIfNull(results);
        return StudyDocument.Of(report, results);
    }
}
