using System.CommandLine;
using Wisca.Cli.CommandLine;

namespace Wisca.Cli.Verbs;

internal static class DoctorVerb
{
    public static Command Create(CommandContext context)
    {
        var command = new Command("doctor", "x");
        command.SetAction(_ => context is null ? 1 : 0);
        return command;
    }
}
