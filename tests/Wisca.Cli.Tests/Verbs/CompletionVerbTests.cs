using System.Diagnostics;

namespace Wisca.Tests.Verbs;

/// <summary>Completion as shells do it: what is typed, tabulators included, goes to a real shell.</summary>
public sealed class CompletionVerbTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public CompletionVerbTests() => Directory.CreateDirectory(_folder["model"]);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("wisca resc\t--ro\tpo\tmod\t", "rescale --round pow2 model")]
    [InlineData("wisca resc\t--round=po\tmod\t", "rescale --round pow2 model")]
    [InlineData("wisca resc\t-o mod\t --dry\t", "rescale -o model --dry-run")]
    [InlineData("wisca comple\tzs\t", "completion zsh")]
    [InlineData("wisca --vers\t", "--version")]
    [InlineData("wisca train --resume ne\t", "train --resume never")]
    [InlineData("wisca demo --steps mod\t", "demo --steps mod")]
    public async Task Bash_Typed_Completes(string typed, string expected)
    {
        await WriteScript("bash");
        File.AppendAllText(_folder["bash"], "PS1='> '\nwisca() { printf '%s\\n' \"$@\" > arguments; exit; }\n");
        (await Type("bash", $"bash --noprofile --rcfile {_folder["bash"]} -i", typed)).ShouldBe(expected);
    }

    [Theory]
    [InlineData("wisca resc\t--ro\tpo\tmod\t", "rescale --round pow2 model")]
    [InlineData("wisca resc\t-o mod\t --dry\t", "rescale -o model --dry-run")]
    [InlineData("wisca comple\tzs\t", "completion zsh")]
    [InlineData("wisca --vers\t", "--version")]
    [InlineData("wisca demo --steps mod\t", "demo --steps mod")]
    public async Task Zsh_Typed_Completes(string typed, string expected)
    {
        await WriteScript("zsh");
        File.WriteAllText(
            _folder[".zshrc"],
            "PS1='> '; autoload -U compinit; compinit -u -D; source ./zsh; wisca() { printf '%s\\n' \"$@\" > arguments; exit; }\n");
        (await Type("zsh", "zsh -i", typed)).ShouldBe(expected);
    }

    [Theory]
    [InlineData("wisca resc", "rescale")]
    [InlineData("wisca rescale --ro", "--round")]
    [InlineData("wisca rescale --round po", "pow2")]
    [InlineData("wisca rescale mo", "model/")]
    [InlineData("wisca rescale -o mo", "model/")]
    [InlineData("wisca completion ", "bash fish pwsh zsh")]
    [InlineData("wisca --vers", "--version")]
    [InlineData("wisca demo --steps mo", "")]
    public async Task Fish_Line_OffersWhatFits(string line, string expected)
    {
        await WriteScript("fish");
        Assert.SkipUnless(IsThere("fish"), "there is no fish");
        string offered = Output(new ProcessStartInfo("fish", ["--no-config", "-c", $"source ./fish; complete -C '{line}'"]));
        var words = offered.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(offer => offer.Split('\t')[0]);
        string.Join(' ', words).ShouldBe(expected);
    }

    [Fact]
    public async Task PowerShell_Lines_OffersWhatFits()
    {
        await WriteScript("pwsh");
        Assert.SkipUnless(PowerShellTool.IsThere, PowerShellTool.Absent);
        (string Line, string Offered)[] lines =
        [
            ("wisca resc", "rescale"),
            ("wisca rescale --ro", "--round"),
            ("wisca rescale --round po", "pow2"),
            ("wisca completion ", "bash fish pwsh zsh --help --verbose"),
            ("wisca rescale mo", "./model"),
            ("wisca --vers", "--version"),
        ];
        File.WriteAllText(
            _folder["ask.ps1"],
            $"Set-Location '{_folder.FullPath}'\nGet-Content -Raw pwsh | Invoke-Expression\n"
            + string.Concat(lines.Select(entry =>
                $"((TabExpansion2 '{entry.Line}' {entry.Line.Length}).CompletionMatches | ForEach-Object CompletionText) -join ' '\n")));
        Output(PowerShellTool.Start(["-NoProfile", "-File", _folder["ask.ps1"]])).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .ShouldBe(lines.Select(entry => entry.Offered));
    }

    [Theory]
    [InlineData("bash")]
    [InlineData("zsh")]
    [InlineData("fish")]
    [InlineData("pwsh")]
    public async Task Script_OfAShell_HasEveryVerbAndOptionOfTheHelp(string shell)
    {
        await WriteScript(shell);
        string script = File.ReadAllText(_folder[shell]);
        foreach (var (verb, options) in await ProgramHelp.ReadAsync())
        {
            script.ShouldContain(verb);
            foreach (string option in options.Select(option => option.Name))
                script.ShouldContain(shell == "fish" ? $"-l {option[2..]} " : option, customMessage: verb);
        }

        script.ShouldNotContain("compare-worker");
    }

    [Fact]
    public async Task Run_UnknownShell_NamesTheShellsAndExits2()
    {
        var run = await CommandRun.RunAsync("completion", "tcsh");
        run.ExitCode.ShouldBe(2);
        run.Output.ShouldBeEmpty();
        run.ErrorLines[0].ShouldBe("wisca: Argument 'tcsh' not recognized. Must be one of: 'bash' 'zsh' 'fish' 'pwsh'");
        run.ErrorLines.Length.ShouldBe(2);
    }

    private async Task WriteScript(string shell)
    {
        var run = await CommandRun.RunAsync("completion", shell);
        run.ExitCode.ShouldBe(0, run.Error);
        File.WriteAllText(_folder[shell], run.Output);
    }

    /// <summary>Types a line into a shell on a terminal, where wisca writes its arguments to a file.</summary>
    private async Task<string> Type(string shell, string command, string typed)
    {
        Assert.SkipUnless(IsThere(shell), $"there is no {shell}");
        Assert.SkipUnless(OperatingSystem.IsLinux() && IsThere("script"), "there is no script(1), which gives a program a terminal");
        var start = new ProcessStartInfo("script", ["-qec", command, "/dev/null"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            WorkingDirectory = _folder.FullPath,
        };
        start.Environment["ZDOTDIR"] = _folder.FullPath;
        start.Environment["TERM"] = "dumb";
        using var process = Process.Start(start)!;
        var screen = process.StandardOutput.ReadToEndAsync();
        await process.StandardInput.WriteAsync(typed + "\n");
        await process.StandardInput.FlushAsync();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
        }

        File.Exists(_folder["arguments"]).ShouldBeTrue(await screen);

        // zsh writes a value behind an equals sign; a folder may end with a slash.
        return string.Join(' ', File.ReadAllLines(_folder["arguments"]).SelectMany(word => word.TrimEnd('/').Split('=')));
    }

    private string Output(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = true;
        if (start.FileName != "dotnet") start.WorkingDirectory = _folder.FullPath;
        using var process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        process.ExitCode.ShouldBe(0);
        return output;
    }

    private static bool IsThere(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator)
            .Any(folder => File.Exists(Path.Combine(folder, program)));
}
