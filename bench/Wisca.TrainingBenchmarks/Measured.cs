using System.Diagnostics;

namespace Wisca.TrainingBenchmarks;

/// <summary>Wall and processor seconds of something.</summary>
internal readonly record struct Measured(double Wall, double Processor)
{
    public static Measured Of(Action action)
    {
        using var process = Process.GetCurrentProcess();
        var processor = process.TotalProcessorTime;
        long began = Stopwatch.GetTimestamp();
        action();
        double wall = Stopwatch.GetElapsedTime(began).TotalSeconds;
        process.Refresh();
        return new Measured(wall, (process.TotalProcessorTime - processor).TotalSeconds);
    }

    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }
}
