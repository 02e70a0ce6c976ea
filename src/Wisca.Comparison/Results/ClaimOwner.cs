using System.Globalization;

namespace Wisca.Comparison.Results;

/// <summary>Who makes a run: what stands in its claim.</summary>
/// <param name="Host">The machine, as people call it.</param>
/// <param name="System">The machine until its next start, and the view that it has of processes; null where that is not known.</param>
/// <param name="Process">The process.</param>
/// <param name="Started">When it began, in ticks since the machine did: no clock is set that it depends on.</param>
/// <param name="Key">A key of its own.</param>
internal sealed record ClaimOwner(string Host, string? System, int Process, long Started, string Key)
{
    private static readonly string? ThisSystem = FindSystem();

    /// <summary>This process.</summary>
    public static ClaimOwner Mine() =>
        new(Environment.MachineName, ThisSystem, Environment.ProcessId, StartOf(Environment.ProcessId) ?? 0, Guid.NewGuid().ToString("N"));

    /// <summary>Whether it is a process of this system that has ended; null where that cannot be seen.</summary>
    public bool? HasEnded() => System is null || System != ThisSystem ? null : StartOf(Process) != Started;

    /// <summary>Field 22 of a process's stat, behind its name, which may hold anything; null where there is no such process.</summary>
    private static long? StartOf(int process)
    {
        try
        {
            string stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/stat"));
            string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');

            // A zombie has ended.
            return fields[0] is "Z" or "X" ? null : long.Parse(fields[19], CultureInfo.InvariantCulture);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Containers share the name of a machine, or its processes, but not both.</summary>
    private static string? FindSystem()
    {
        const string boot = "/proc/sys/kernel/random/boot_id", processes = "/proc/self/ns/pid";
        if (!OperatingSystem.IsLinux() || !File.Exists(boot) || new FileInfo(processes).LinkTarget is not { } view) return null;
        return $"{Environment.MachineName} {File.ReadAllText(boot).Trim()} {view}";
    }
}
