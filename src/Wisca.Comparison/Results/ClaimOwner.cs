using System.Diagnostics;

namespace Wisca.Comparison.Results;

/// <summary>Who makes a run: what stands in its claim.</summary>
/// <param name="Host">The machine, as people call it.</param>
/// <param name="System">The machine until its next start, and the view that it has of processes.</param>
/// <param name="Process">The process.</param>
/// <param name="Started">When it began, in seconds since 1970.</param>
/// <param name="Key">A key of its own.</param>
internal sealed record ClaimOwner(string Host, string System, int Process, long Started, string Key)
{
    // Clocks of the system and of processes are rounded differently.
    private const int SecondsApart = 2;

    /// <summary>This process.</summary>
    public static ClaimOwner Mine()
    {
        using var self = global::System.Diagnostics.Process.GetCurrentProcess();
        return new ClaimOwner(Environment.MachineName, ThisSystem(), self.Id, StartOf(self), Guid.NewGuid().ToString("N"));
    }

    /// <summary>True where it is a process of this system that has ended; false also where that cannot be known.</summary>
    public bool HasEnded()
    {
        if (System != ThisSystem()) return false;
        try
        {
            using var process = global::System.Diagnostics.Process.GetProcessById(Process);
            return process.HasExited || Math.Abs(StartOf(process) - Started) > SecondsApart;
        }
        catch (ArgumentException)
        {
            return true;
        }
        catch (Exception exception) when (exception is InvalidOperationException or global::System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    private static long StartOf(Process process) => new DateTimeOffset(process.StartTime).ToUnixTimeSeconds();

    /// <summary>Containers share the name of a machine, or its processes, but not both.</summary>
    private static string ThisSystem()
    {
        const string boot = "/proc/sys/kernel/random/boot_id", processes = "/proc/self/ns/pid";
        string start = File.Exists(boot) ? File.ReadAllText(boot).Trim() : "";
        string? view = OperatingSystem.IsLinux() ? new FileInfo(processes).LinkTarget : null;
        return $"{Environment.MachineName} {start} {view}".Trim();
    }
}
