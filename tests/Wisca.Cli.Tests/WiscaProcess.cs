using System.Diagnostics;

namespace Wisca.Cli.Tests;

/// <summary>The built executable, run as a process of its own.</summary>
internal sealed class WiscaProcess : IDisposable
{
    private readonly Process _process;
    private readonly Task<string> _output, _error;

    private WiscaProcess(Process process)
    {
        _process = process;
        _output = process.StandardOutput.ReadToEndAsync();
        _error = process.StandardError.ReadToEndAsync();
    }

    public int Id => _process.Id;

    public int ExitCode => _process.ExitCode;

    public string Output => _output.Result;

    public string Error => _error.Result;

    public static WiscaProcess Start(params string[] args) => Start(Executable, args);

    /// <summary>Starts another program of the same command line.</summary>
    public static WiscaProcess StartProgram(string program, params string[] args) => Start(program, args);

    /// <summary>Starts it as nohup does, but with its output read.</summary>
    public static WiscaProcess StartIgnoringHangUp(params string[] args) =>
        Start("/bin/sh", ["-c", "trap '' HUP; exec \"$0\" \"$@\"", Executable, .. args]);

    public static string Executable => Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "wisca.exe" : "wisca");

    private static WiscaProcess Start(string program, string[] args)
    {
        var start = new ProcessStartInfo(program, args)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        return new WiscaProcess(Process.Start(start)!);
    }

    /// <summary>Waits for the end; false where it runs on.</summary>
    public bool Wait(TimeSpan atMost) => _process.WaitForExit(atMost);

    /// <summary>Runs to the end, which must be a good one.</summary>
    public static TimeSpan Run(params string[] args)
    {
        var clock = Stopwatch.StartNew();
        using var process = Start(args);
        process.Wait(TimeSpan.FromMinutes(2)).ShouldBeTrue();
        process.ExitCode.ShouldBe(0, process.Error);
        return clock.Elapsed;
    }

    /// <summary>Runs to the end in an environment with more variables.</summary>
    public static void RunWith(IEnumerable<(string Name, string Value)> variables, params string[] args)
    {
        var start = new ProcessStartInfo(Executable, args) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in variables) start.Environment[name] = value;
        using var process = new WiscaProcess(Process.Start(start)!);
        process.Wait(TimeSpan.FromMinutes(2)).ShouldBeTrue();
        process.ExitCode.ShouldBe(0, process.Error);
    }

    /// <summary>SIGKILL.</summary>
    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    /// <summary>SIGINT, as Ctrl-C sends it.</summary>
    public void Interrupt() => Process.Start("kill", ["-INT", $"{_process.Id}"]).WaitForExit();

    /// <summary>SIGHUP, as a terminal sends it that is closed.</summary>
    public void HangUp() => Process.Start("kill", ["-HUP", $"{_process.Id}"]).WaitForExit();

    public void Dispose()
    {
        if (!_process.HasExited) Kill();
        _process.Dispose();
    }
}
