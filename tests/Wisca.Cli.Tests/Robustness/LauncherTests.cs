using System.Diagnostics;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Robustness;

/// <summary>The launcher scripts, copied into a folder of their own beside a dotnet that only pretends.</summary>
public sealed class LauncherTests : IDisposable
{
    private const string Bash = "wisca", PowerShell = "wisca.ps1";

    // Building makes a program that says what it was called with; a source that says "broken" does not build.
    private const string Dotnet = """
        #!/usr/bin/env bash
        here=$(cd -- "$(dirname -- "$0")/.." && pwd)
        echo "$1" >> "$here/calls"
        case "$1" in
          --list-sdks) echo "10.0.100 [$here/sdks/sdk]" ;;
          build)
            grep -q broken "$here/src/code.cs" && { echo "code.cs(1,1): error CS0000: broken"; exit 1; }
            mkdir -p "$here/artifacts/bin/Wisca.Cli/release"
            printf '#!/bin/sh\necho "ran $* with $DOTNET_ROOT"\n' > "$here/artifacts/bin/Wisca.Cli/release/wisca"
            chmod +x "$here/artifacts/bin/Wisca.Cli/release/wisca" ;;
        esac
        """;

    private readonly TemporaryFolder _folder = new();

    public LauncherTests()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "the pretended dotnet is a shell script");
        foreach (string folder in (string[])["src", "eng", "sdks/sdk/10.0.100", "path"]) Directory.CreateDirectory(_folder[folder]);
        foreach (string file in (string[])["src/code.cs", "a.props", "a.targets", "global.json"]) File.WriteAllText(_folder[file], "code");
        foreach (string launcher in (string[])[Bash, PowerShell]) WriteScript(launcher, TestRepository.ReadText(launcher));
        WriteScript("sdks/dotnet", Dotnet);
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(Bash)]
    [InlineData(PowerShell)]
    public void Run_Twice_BuildsOnceAndAsksDotnetForNothingElse(string launcher)
    {
        Run(launcher, "sdks", "inspect", "a b")
            .ShouldBe((0, $"ran inspect a b with {_folder["sdks"]}\n", "wisca: building (once, and when sources change) ...\n"));
        Run(launcher, "sdks", "--version").ShouldBe((0, $"ran --version with {_folder["sdks"]}\n", ""));
        File.ReadAllLines(_folder["calls"]).ShouldBe(["build"]);

        File.SetLastWriteTimeUtc(_folder["src/code.cs"], DateTime.UtcNow.AddSeconds(5));
        Run(launcher, "sdks", "--version").ExitCode.ShouldBe(0);
        File.ReadAllLines(_folder["calls"]).ShouldBe(["build", "build"]);
    }

    [Theory]
    [InlineData(Bash)]
    [InlineData(PowerShell)]
    public void Run_WithANativeProgram_UsesItForWhatItHasUntilSourcesChange(string launcher)
    {
        Directory.CreateDirectory(_folder["artifacts/native"]);
        WriteScript("artifacts/native/wisca", "#!/bin/sh\necho \"native $*\"\n");
        File.SetLastWriteTimeUtc(_folder["artifacts/native/wisca"], DateTime.UtcNow.AddSeconds(5));
        Run(launcher, "sdks", "inspect", "a b").ShouldBe((0, "native inspect a b\n", ""));
        Run(launcher, "sdks", "verify", "a", "b").Output.ShouldBe("native verify a b\n");
        File.Exists(_folder["calls"]).ShouldBeFalse();

        // What needs libtorch, and what the native program is too old for, is built.
        Run(launcher, "sdks", "verify", "a", "b", "--tokens=5").Output.ShouldStartWith("ran verify a b --tokens=5");
        Run(launcher, "sdks", "merge", "a", "b").Output.ShouldStartWith("ran merge a b");
        File.SetLastWriteTimeUtc(_folder["src/code.cs"], DateTime.UtcNow.AddSeconds(10));
        Run(launcher, "sdks", "inspect", "a").Output.ShouldStartWith("ran inspect a");
    }

    [Theory]
    [InlineData(Bash)]
    [InlineData(PowerShell)]
    public async Task Run_TwoFirstRunsAtOnce_BuildsOnce(string launcher)
    {
        Assert.SkipUnless(launcher != Bash || File.Exists("/usr/bin/flock"), "the launcher takes turns where the system has flock");
        WriteScript("sdks/dotnet", Dotnet.Replace("build)", "build)\n    sleep 0.3", StringComparison.Ordinal));
        var runs = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => Task.Run(() => Run(launcher, "sdks", "demo"))));
        runs.ShouldAllBe(run => run.ExitCode == 0 && run.Output == $"ran demo with {_folder["sdks"]}\n");
        File.ReadAllLines(_folder["calls"]).ShouldBe(["build"]);
    }

    [Theory]
    [InlineData(Bash)]
    [InlineData(PowerShell)]
    public void Run_DotnetIsAScriptElsewhere_FindsItsSdks(string launcher)
    {
        WriteScript("path/dotnet", $"#!/bin/sh\nexec \"{_folder["sdks/dotnet"]}\" \"$@\"\n");
        Run(launcher, "path", "doctor")
            .ShouldBe((0, $"ran doctor with {_folder["sdks"]}\n", "wisca: building (once, and when sources change) ...\n"));
    }

    [Theory]
    [InlineData(Bash)]
    [InlineData(PowerShell)]
    public void Run_NoSdk_SaysWhatToInstallInOneLine(string launcher)
    {
        Directory.Delete(_folder["sdks/sdk"], recursive: true);
        var (exitCode, output, error) = Run(launcher, "sdks", "demo");
        (exitCode, output).ShouldBe((1, ""));
        error.ShouldStartWith("wisca: no .NET 10 SDK found: install it from https://dotnet.microsoft.com/download/dotnet/10.0");
        error.Count(c => c == '\n').ShouldBe(1);
    }

    [Theory]
    [InlineData(Bash)]
    [InlineData(PowerShell)]
    public void Run_SourceThatDoesNotBuild_ShowsTheErrorAndTriesAgainNextTime(string launcher)
    {
        File.WriteAllText(_folder["src/code.cs"], "broken");
        for (int attempt = 0; attempt < 2; attempt++)
        {
            var (exitCode, output, error) = Run(launcher, "sdks", "demo");
            (exitCode, output).ShouldBe((1, ""));
            error.ShouldContain("error CS0000");
            error.ShouldEndWith("wisca: the build failed\n");
        }
    }

    [Fact]
    public void Cmd_ForWindows_BuildsByPowerShellAndRunsWithTheArgumentsAsTheyAre()
    {
        // It cannot be run here. What it names has to be what the other launchers make.
        string script = TestRepository.ReadText("wisca.cmd");
        script.ShouldContain("-File \"%~dp0wisca.ps1\" --build-only || exit /b 1");
        script.ShouldContain(@"""%~dp0artifacts\bin\Wisca.Cli\release\wisca.exe"" %*");
        Run(PowerShell, "sdks", "--build-only").ShouldBe((0, "", "wisca: building (once, and when sources change) ...\n"));
        File.ReadAllText(_folder["artifacts/.dotnet-root"]).ShouldBe(_folder["sdks"]);
    }

    private (int ExitCode, string Output, string Error) Run(string launcher, string dotnetFolder, params string[] arguments)
    {
        Assert.SkipUnless(launcher != PowerShell || PowerShellTool.IsThere, PowerShellTool.Absent);
        var start = launcher == PowerShell
            ? PowerShellTool.Start(["-NoProfile", "-File", _folder[launcher], .. arguments])
            : new ProcessStartInfo(_folder[launcher], arguments);
        (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
        start.Environment.Remove("DOTNET_ROOT");
        start.Environment["PATH"] = $"{_folder[dotnetFolder]}:/usr/bin:/bin";
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }

    private void WriteScript(string name, string text)
    {
        File.WriteAllText(_folder[name], text);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(_folder[name], (UnixFileMode)0b111_101_101);
    }
}
