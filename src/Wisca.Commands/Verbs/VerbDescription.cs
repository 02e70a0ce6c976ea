using System.CommandLine;

namespace Wisca.Commands.Verbs;

/// <summary>A verb as its help shows it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Description">What it does.</param>
/// <param name="Hidden">True where the help leaves it out.</param>
/// <param name="Arguments">What stands behind it.</param>
/// <param name="Options">Its options.</param>
internal sealed record VerbDescription(
    string Name, string? Description, bool Hidden, SymbolDescription[] Arguments, SymbolDescription[] Options)
{
    public static VerbDescription Of(Command command) => new(
        command.Name,
        command.Description,
        command.Hidden,
        [.. command.Arguments.Select(SymbolDescription.Of)],
        [.. command.Options.Select(SymbolDescription.Of)]);

    /// <summary>A command of the same help, which refuses to run.</summary>
    public ElsewhereCommand ToCommand()
    {
        var command = new ElsewhereCommand(Name, Description) { Hidden = Hidden };
        foreach (var argument in Arguments) command.Add(argument.ToArgument());
        foreach (var option in Options) command.Add(option.ToOption());
        return command;
    }
}
