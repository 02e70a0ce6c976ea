using System.Text;
using System.Text.RegularExpressions;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Documentation;

/// <summary>A command line that a document shows in a block of code, without its comment and what a shell does with its output.</summary>
internal sealed partial record ShownCommand(string Document, string Text)
{
    /// <summary>The words, quotes taken off.</summary>
    public string[] Words => [.. Split(Text).Select(word => word.Value)];

    /// <summary>Every command of the program or of the SDK that README, docs and packages show, in the order of the documents.</summary>
    public static IEnumerable<ShownCommand> All() =>
        WrittenDocuments
            .Paths.Where(path => path == "README.md" || path.StartsWith("docs/", StringComparison.Ordinal) || IsOfPackage(path))
            .SelectMany(path => Of(path, TestRepository.ReadText(path)));

    private static bool IsOfPackage(string path) => path.Split('/') is ["src", _, "README.md"];

    public static IEnumerable<ShownCommand> Of(string document, string markdown) =>
        from Match block in Blocks().Matches(markdown.ReplaceLineEndings("\n"))
        from Match line in Lines().Matches(Continuations().Replace(block.Groups[1].Value, " "))
        select new ShownCommand(document, Command(line.Groups[1].Value));

    /// <summary>The line up to a comment, a pipe or a redirection, one space between words.</summary>
    private static string Command(string line) => string.Join(' ', Split(line).Select(word => word.Written));

    private static IEnumerable<(string Written, string Value)> Split(string line)
    {
        StringBuilder written = new(), value = new();
        char quote = '\0';
        foreach (char c in line + " ")
        {
            if (quote == '\0' && char.IsWhiteSpace(c))
            {
                if (written.Length == 0) continue;
                if (written[0] == '#' || written.ToString() is "|" or ">") yield break;
                yield return (written.ToString(), value.ToString());
                written.Clear();
                value.Clear();
                continue;
            }

            written.Append(c);
            if (quote == '\0' && c is '"' or '\'') quote = c;
            else if (c == quote) quote = '\0';
            else value.Append(c);
        }
    }

    [GeneratedRegex("^ *```[a-z]*\n(.*?)^ *```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Blocks();

    [GeneratedRegex(@" *\\\n *")]
    private static partial Regex Continuations();

    [GeneratedRegex(@"^ *(?:\$ )?(?:/usr/bin/time -v )?(?:\./)?((?:wisca|dotnet) [a-z-][^\n]*)", RegexOptions.Multiline)]
    private static partial Regex Lines();
}
