using System.CommandLine;
using Wisca.Cli.CommandLine;

namespace Wisca.Cli.Verbs;

internal static class DemoVerb
{
    public static Command Create(CommandContext context)
    {
        var command = new Command("demo", "x");
        command.SetAction(_ => context is null ? 1 : 0);
        return command;
    }
}
