using System.Diagnostics;
using System.Globalization;
using Spectre.Console;
using Wisca.Comparison.Results;
using Wisca.Comparison.Running;
using Wisca.Comparison.Studies;

namespace Wisca.Cli.CommandLine;

/// <summary>Shows a study on standard error: a line for each finished run, and one for the whole that is written over in a terminal and
/// repeated now and then elsewhere.</summary>
internal sealed class StudyConsole(IAnsiConsole console) : IStudyObserver, IDisposable
{
    private static readonly TimeSpan Often = TimeSpan.FromMinutes(1);
    private readonly bool _live = console.Profile.Out.IsTerminal && console.Profile.Capabilities.Ansi;
    private readonly Stopwatch _quiet = Stopwatch.StartNew();
    private StudyProgress? _progress;
    private bool _open;

    public void Started(PlannedRun run)
    {
    }

    public void Finished(PlannedRun run, RunResult result, TimeSpan elapsed)
    {
        string end = result.Final() is { } final
            ? string.Create(CultureInfo.InvariantCulture, $"validation loss {final.Validation:0.0000}, test loss {final.Test:0.0000}")
            : $"diverged ({result.Reason})";
        Line($"{run.Label}: {end}, {TrainingConsole.Span(elapsed)}");
    }

    public void Failed(RunFailure failure) => Line($"{failure.Label}: failed: {failure.Reason}");

    public void Progressed(StudyProgress progress)
    {
        bool more = progress.Finished != _progress?.Finished;
        _progress = progress;
        string running = string.Join(
            ", ",
            progress.Running.Select(run => string.Create(CultureInfo.InvariantCulture, $"{run.Label} {100 * run.Share:0} %")));
        string remaining =
            progress.Remaining is { } left && progress.Finished < progress.Total ? $", {TrainingConsole.Span(left)} left" : "";
        string text =
            $"{progress.Finished}/{progress.Total} runs{remaining}{(running.Length > 0 ? $"  {running}" : "")}";
        if (_live)
        {
            int width = Math.Max(20, console.Profile.Width - 1);
            console.Profile.Out.Writer.Write($"\r{(text.Length > width ? text[..width] : text)}\u001b[K");
            _open = true;
        }
        else if (more || _quiet.Elapsed > Often)
        {
            Line(text);
        }
    }

    public void Notice(string message) => Line(message);

    public void Dispose()
    {
        if (_open) console.Profile.Out.Writer.Write("\r\u001b[K");
    }

    private void Line(string text)
    {
        console.Profile.Out.Writer.WriteLine(_open ? $"\r{text}\u001b[K" : text);
        _open = false;
        _quiet.Restart();
    }
}
