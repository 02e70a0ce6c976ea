using System.CommandLine;
using System.CommandLine.Completions;

namespace Wisca.Commands.Completion;

/// <summary>What a shell offers where a value is expected.</summary>
/// <param name="Name">What the help calls it.</param>
/// <param name="Words">The values that are known.</param>
/// <param name="IsPath">Whether it may be a file or a folder.</param>
internal sealed record CompletedValue(string Name, IReadOnlyList<string> Words, bool IsPath)
{
    private static readonly string[] Paths = ["FILE", "DIR", "FOLDER", "PATH", "MODEL", "MODEL2", "ADAPTER", "BASE", "SOURCE", "A", "B"];

    public static CompletedValue Of(Option option) => Of(option.HelpName ?? option.Name.TrimStart('-').ToUpperInvariant(), option);

    public static CompletedValue Of(Argument argument) => Of(argument.Name, argument);

    /// <summary>A name such as <c>auto|PATH|never</c> tells values too.</summary>
    private static CompletedValue Of(string name, Symbol symbol)
    {
        string[] parts = name.Split('|');
        var known = symbol.GetCompletions(CompletionContext.Empty).Select(item => item.Label);
        var told = parts.Length > 1 ? parts.Where(part => !part.Any(char.IsUpper)) : [];
        return new CompletedValue(name, [.. known.Concat(told).Distinct()], parts.Any(Paths.Contains));
    }
}
