using Spectre.Console;

namespace Wisca.Cli.CommandLine;

/// <summary>Long work on standard error: one line that is written over in a terminal, a line for each stage elsewhere.</summary>
internal sealed class StageLine(IAnsiConsole console) : IDisposable
{
    private readonly bool _live = console.Profile.Out.IsTerminal && console.Profile.Capabilities.Ansi;
    private string? _stage;

    public void Report(string stage, int done, int most)
    {
        if (_live) console.Profile.Out.Writer.Write($"\r{stage}: {done + 1} of at most {most}\u001b[K");
        else if (stage != _stage) console.Profile.Out.Writer.WriteLine($"{stage} ...");
        _stage = stage;
    }

    /// <summary>Clears the line.</summary>
    public void Dispose()
    {
        if (_live && _stage is not null) console.Profile.Out.Writer.Write("\r\u001b[K");
    }
}
