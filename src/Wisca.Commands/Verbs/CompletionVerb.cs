using System.CommandLine;
using Wisca.Commands.CommandLine;
using Wisca.Commands.Completion;

namespace Wisca.Commands.Verbs;

/// <summary><c>wisca completion SHELL</c>: prints what makes a shell complete wisca's verbs, options and their values.</summary>
/// <remarks>The script holds all of it, so that completing starts no process and builds nothing.</remarks>
internal static class CompletionVerb
{
    public static Command Create(CommandContext context)
    {
        var shell = new Argument<string>("SHELL") { Description = "The shell: bash, zsh, fish or pwsh." };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish", "pwsh");
        var command = new Command("completion", "Print a script that makes a shell complete wisca's commands.") { shell };
        command.SetAction(parsed =>
        {
            var root = parsed.RootCommandResult.Command;
            var verbs = CompletedVerb.AllOf(root);
            IReadOnlyList<CompletedOption> options = [.. root.Options.Where(option => !option.Hidden).Select(CompletedOption.Of)];
            var lines = parsed.GetRequiredValue(shell) switch
            {
                "bash" => BashScript.Lines(verbs, options),
                "zsh" => ZshScript.Lines(verbs, options),
                "fish" => FishScript.Lines(verbs, options),
                _ => PowerShellScript.Lines(verbs, options),
            };
            foreach (string line in lines) context.StandardOutput.Write(line + "\n");
            return 0;
        });
        return command;
    }
}
