namespace Wisca.Cli.Tests;

/// <summary>The command line as one native file, where eng/native has built it and WISCA_NATIVE names its folder.</summary>
internal static class NativeProgram
{
    private static readonly string[] Verbs =
        ["inspect", "rescale", "rotate", "undo", "verify", "merge", "balance", "express", "architectures", "completion", "--help"];

    /// <summary>The file; skips the test where there is none.</summary>
    public static string Path
    {
        get
        {
            string? folder = Environment.GetEnvironmentVariable("WISCA_NATIVE");
            if (string.IsNullOrEmpty(folder)) Assert.Skip("WISCA_NATIVE is not set: it names the folder that eng/native builds");
            return System.IO.Path.GetFullPath(System.IO.Path.Combine(folder, OperatingSystem.IsWindows() ? "wisca.exe" : "wisca"));
        }
    }

    /// <summary>True for what it does without libtorch.</summary>
    public static bool Has(string[] args) =>
        args is [var verb, ..]
        && Verbs.Contains(verb)
        && !(verb == "verify" && args.Any(word => word is "--text" or "--tokens"))
        && !(verb == "merge" && !args.Contains("--tokens"));

    public static CommandRun Run(params string[] args) => Run(Path, args);

    /// <summary>Runs a program of this command line to its end.</summary>
    public static CommandRun Run(string program, string[] args)
    {
        using var process = WiscaProcess.StartProgram(program, args);
        process.Wait(TimeSpan.FromMinutes(2)).ShouldBeTrue();
        return new CommandRun(process.ExitCode, process.Output, process.Error);
    }
}
