using System.CommandLine;
using Wisca.Commands.CommandLine;
using Wisca.Comparison.Running;

namespace Wisca.Cli.Verbs;

/// <summary><c>wisca compare-worker</c>: one run of a study, started by <c>wisca compare</c> and by nobody else.</summary>
internal static class CompareWorkerVerb
{
    public const string Name = "compare-worker";

    private const int Failed = 2;

    public static Command Create(CommandContext context)
    {
        var request = new Argument<string>("REQUEST");
        var command = new Command(Name, "One run of a study.") { request };
        command.Hidden = true;
        command.SetAction(
            (parsed, cancellation) =>
                Task.Run(() =>
                    RunWorker.Execute(
                        parsed.GetRequiredValue(request), ProductVersion.Text, Console.In, context.StandardOutput, cancellation)
                        ? 0
                        : Failed));
        return command;
    }
}
