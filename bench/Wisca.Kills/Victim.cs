using System.Diagnostics;

namespace Wisca.Kills;

/// <summary>The built <c>wisca</c> in a process of its own.</summary>
internal static class Victim
{
    private static readonly string Executable = Find();

    /// <summary>Runs a command to its end, which must be a good one.</summary>
    /// <returns>What it wrote to standard output, and how long it took.</returns>
    public static (string Output, TimeSpan Time) Run(params string[] arguments)
    {
        var clock = Stopwatch.StartNew();
        using var process = Start(arguments, out var output, out var error);
        if (!process.WaitForExit(TimeSpan.FromMinutes(2)))
        {
            process.Kill(entireProcessTree: true);
            throw new KillFault($"wisca {string.Join(' ', arguments)} did not end");
        }

        var time = clock.Elapsed;
        return process.ExitCode == 0
            ? (output.Result, time)
            : throw new KillFault($"wisca {string.Join(' ', arguments)} ended with {process.ExitCode}: {error.Result.Trim()}");
    }

    /// <summary>Runs a command that has to end with 1 and a line that says why.</summary>
    public static bool Refuses(string[] arguments)
    {
        using var process = Start(arguments, out _, out var error);
        process.WaitForExit();
        return process.ExitCode == 1 && error.Result.StartsWith("wisca: ", StringComparison.Ordinal);
    }

    /// <summary>Runs a command and kills it.</summary>
    /// <param name="arguments">The command.</param>
    /// <param name="moment">When.</param>
    /// <param name="writes">Whether it has begun to write; null for a kill by the clock alone.</param>
    /// <returns>True where it had ended before.</returns>
    public static bool Kill(string[] arguments, TimeSpan moment, Func<bool>? writes)
    {
        var clock = Stopwatch.StartNew();
        using var process = Start(arguments, out _, out _);
        while (writes?.Invoke() == false && !process.HasExited && clock.Elapsed < TimeSpan.FromMinutes(1)) Thread.Sleep(1);
        if (writes is not null) clock.Restart();
        while (clock.Elapsed < moment && !process.HasExited) Thread.Sleep(1);
        bool ended = process.HasExited;
        process.Kill();
        process.WaitForExit();
        return ended;
    }

    private static Process Start(string[] arguments, out Task<string> output, out Task<string> error)
    {
        var process = Process.Start(new ProcessStartInfo(Executable, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        })!;
        (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        return process;
    }

    private static string Find()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Wisca.slnx"))) folder = folder.Parent!;
        return Path.Combine(folder.FullName, "artifacts", "bin", "Wisca.Cli", "release", "wisca");
    }
}
