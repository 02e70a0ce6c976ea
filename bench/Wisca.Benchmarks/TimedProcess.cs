using System.Diagnostics;

namespace Wisca.Benchmarks;

/// <summary>A process run to its end: wall-clock time and the peak of its anonymous memory (RssAnon, sampled).</summary>
internal sealed record TimedProcess(double Seconds, long PeakAnonymousBytes)
{
    public static TimedProcess Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        var clock = Stopwatch.StartNew();
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        long peak = 0;
        while (!process.WaitForExit(10)) peak = Math.Max(peak, AnonymousBytes(process.Id));
        double seconds = clock.Elapsed.TotalSeconds;
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{program} ended with {process.ExitCode}: {error.Result} {output.Result}");
        return new TimedProcess(seconds, peak);
    }

    private static long AnonymousBytes(int process)
    {
        try
        {
            string? line = File.ReadLines($"/proc/{process}/status")
                .FirstOrDefault(line => line.StartsWith("RssAnon:", StringComparison.Ordinal));
            return line is null ? 0 : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) * 1024;
        }
        catch (IOException)
        {
            // The process ended between the wait and the read.
            return 0;
        }
    }
}
