using System.CommandLine;

namespace Wisca.Commands.Completion;

/// <summary>A verb that a shell offers, with what may stand behind it.</summary>
/// <param name="Name">The verb.</param>
/// <param name="Description">What it does.</param>
/// <param name="Options">Its options, those that every verb has included.</param>
/// <param name="Argument">What stands behind it without an option; null where nothing does.</param>
internal sealed record CompletedVerb(
    string Name, string Description, IReadOnlyList<CompletedOption> Options, CompletedValue? Argument)
{
    /// <summary>The verbs of a program, as its help shows them.</summary>
    public static IReadOnlyList<CompletedVerb> AllOf(Command root)
    {
        var shared = root.Options.Where(option => option.Recursive).ToList();
        return
        [
            .. root.Subcommands.Where(verb => !verb.Hidden).Select(verb => new CompletedVerb(
                verb.Name,
                verb.Description ?? "",
                [.. verb.Options.Concat(shared).Where(option => !option.Hidden).Select(CompletedOption.Of)],
                verb.Arguments.Select(CompletedValue.Of).FirstOrDefault())),
        ];
    }
}
