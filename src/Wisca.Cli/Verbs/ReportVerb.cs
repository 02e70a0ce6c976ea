using System.CommandLine;
using Spectre.Console;
using Wisca.Commands.CommandLine;
using Wisca.Comparison.Reports;
using Wisca.Comparison.Results;
using Wisca.Reporting;

namespace Wisca.Cli.Verbs;

/// <summary><c>wisca report</c>: makes a study's report again from its folder.</summary>
internal static class ReportVerb
{
    public static Command Create(CommandContext context)
    {
        var place = new Argument<string>("FOLDER") { Description = "The folder of a study: what wisca compare wrote to." };
        var output = new Option<string?>("--out", "-o")
        {
            Description =
                "The file to write, FILE.html or FILE.md with its plots in a folder beside it (default: "
                + "report.html and report.md in FOLDER).",
            HelpName = "FILE",
        };
        var force = SharedOptions.Force();
        force.Description = "Replace the file that --out names (reports in FOLDER are replaced in any case).";
        var command = new Command("report", "Make the report of a study again from its folder: a page that works from disk, and Markdown.")
        {
            place,
            output,
            force,
        };
        command.SetAction((parsed, _) => Task.Run(() =>
        {
            using var folder = new StudyFolder(parsed.GetRequiredValue(place));
            string? file = parsed.GetValue(output);
            var (html, markdown) = file is null ? (folder.PagePath, folder.MarkdownPath) : Path.GetExtension(file) switch
            {
                ".html" or ".htm" => (file, (string?)null),
                ".md" or ".markdown" => (null, file),
                _ => throw new UsageException($"--out is '{file}', expected a file that ends with .html or .md"),
            };
            if (File.Exists(file) && !parsed.GetValue(force))
                throw new WiscaException($"output {file} exists", "choose another name, or replace it with --force");
            var report = StudyReport.Load(folder);
            var (results, refused) = folder.ReadResults();
            var known = report
                .Models.SelectMany(model => model.Arms)
                .SelectMany(arm => arm.Runs)
                .Select(run => run.Id)
                .ToHashSet(StringComparer.Ordinal);
            var remarks = context.Error.Profile.Out.Writer;
            foreach (var (path, reason) in refused) remarks.WriteLine($"not used: {path}: {reason}");
            if (known.Count(id => !results.ContainsKey(id)) is > 0 and var missing)
                remarks.WriteLine(
                    $"{Format.Count(missing, "run")} of study.json not in the folder: the numbers are in the report, the curves are not");
            if (results.Keys.Count(id => !known.Contains(id)) is > 0 and var more)
                remarks.WriteLine(
                    $"{Format.Count(more, "run")} in the folder not in study.json: "
                    + "wisca compare --config FILE --summary takes that into account");
            StudyPages.Write(report, results, html, markdown);
            string[] written = [.. new[] { html, markdown }.OfType<string>()];
            context.Written.AddRange(written);
            foreach (string path in written) context.Out.WriteLine(path);
            return 0;
        }));
        return command;
    }
}
