using System.Diagnostics;
using System.Text.Json;
using Wisca.Comparison.Studies;

namespace Wisca.Comparison.Running;

/// <summary>A worker process, as its parent sees it.</summary>
internal sealed class WorkerProcess : IDisposable
{
    private const int LinesKept = 20;
    private readonly Process _process;
    private readonly Queue<string> _errors = new();
    private readonly long _started = Stopwatch.GetTimestamp();
    private WorkerMessage? _last;

    private WorkerProcess(PlannedRun run, Process process, bool fromTheBeginning)
    {
        (Run, _process, FromTheBeginning) = (run, process, fromTheBeginning);
        Completion = Task.WhenAll(ReadOutput(), ReadErrors(), process.WaitForExitAsync());
    }

    public PlannedRun Run { get; }

    /// <summary>True where no earlier worker had begun the run.</summary>
    public bool FromTheBeginning { get; }

    /// <summary>Ends when the process has.</summary>
    public Task Completion { get; }

    /// <summary>Number of steps that are done.</summary>
    public long Step { get; private set; }

    /// <summary>Training tokens per second, of late; 0 before the first report.</summary>
    public double TokensPerSecond { get; private set; }

    /// <summary>How long the process has run.</summary>
    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_started);

    /// <summary>True where the run was stopped and can go on.</summary>
    public bool Interrupted => _last?.Interrupted == true;

    /// <summary>Why it ended without a result, on one line.</summary>
    public string Failure => _last?.Error
        ?? _errors.LastOrDefault(line => line.StartsWith("wisca: ", StringComparison.Ordinal))?["wisca: ".Length..]
        ?? $"the worker process ended with {_process.ExitCode}"
            + (_process.ExitCode > 128 ? $" (signal {_process.ExitCode - 128})" : "")
            + (_errors.Count > 0 ? $": {_errors.Last()}" : "");

    public static WorkerProcess Start(WorkerProgram program, string request, PlannedRun run, int threads, bool fromTheBeginning)
    {
        var start = new ProcessStartInfo(program.File, [.. program.Arguments, request])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        // libtorch asks OpenMP before it is told how many threads there are to be.
        start.Environment["OMP_NUM_THREADS"] = threads.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return new WorkerProcess(
            run, Process.Start(start) ?? throw new WiscaException($"{program.File} could not be started"), fromTheBeginning);
    }

    /// <summary>Asks the run to store a checkpoint and end.</summary>
    public void Stop()
    {
        try
        {
            _process.StandardInput.WriteLine(RunWorker.Stop);
            _process.StandardInput.Flush();
        }
        catch (IOException)
        {
            // It has just ended.
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.Dispose();
    }

    private async Task ReadOutput()
    {
        while (await _process.StandardOutput.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            if (!line.StartsWith('{')) continue;
            _last = JsonSerializer.Deserialize<WorkerMessage>(line, RunWorker.Line);
            if (_last?.Step is { } step) (Step, TokensPerSecond) = (step, _last.TokensPerSecond ?? 0);
        }
    }

    private async Task ReadErrors()
    {
        while (await _process.StandardError.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            if (string.IsNullOrWhiteSpace(line)) continue;
            _errors.Enqueue(line);
            if (_errors.Count > LinesKept) _errors.Dequeue();
        }
    }
}
