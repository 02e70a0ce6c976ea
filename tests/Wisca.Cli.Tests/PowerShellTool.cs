using System.Diagnostics;
using Wisca.Tests;

namespace Wisca.Cli.Tests;

/// <summary>PowerShell as the repository's tools (<c>.config/dotnet-tools.json</c>) have it.</summary>
internal static class PowerShellTool
{
    /// <summary>Why a test is skipped.</summary>
    public const string Absent = "PowerShell is not there (dotnet tool restore)";

    private static readonly Lazy<bool> Found = new(() =>
    {
        var start = Start(["-NoProfile", "-Command", "exit 7"]);
        (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
        using var process = Process.Start(start)!;
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 7;
    });

    /// <summary>True where it can be started.</summary>
    public static bool IsThere => Found.Value;

    /// <summary>How it is started.</summary>
    public static ProcessStartInfo Start(IEnumerable<string> arguments) =>
        new("dotnet", ["tool", "run", "pwsh", "--", .. arguments])
        {
            WorkingDirectory = Path.GetDirectoryName(TestRepository.PathOf("Wisca.slnx")),
        };
}
