using System.Text.RegularExpressions;

namespace Wisca.Tests;

/// <summary>What the program's own help says of its verbs.</summary>
internal static partial class ProgramHelp
{
    /// <summary>The verbs, in the help's order, each with its options but those that all have.</summary>
    public static async Task<IReadOnlyList<(string Verb, IReadOnlyList<string> Options)>> ReadAsync()
    {
        string help = (await CommandRun.RunAsync("--help")).Output.ReplaceLineEndings("\n");
        var verbs = new List<(string, IReadOnlyList<string>)>();
        foreach (Match verb in Verbs().Matches(help.Split("Commands:\n")[1]))
        {
            string name = verb.Groups[1].Value, text = (await CommandRun.RunAsync(name, "--help")).Output.ReplaceLineEndings("\n");
            verbs.Add((name, [.. Options().Matches(text.Split("Options:\n")[1]).Select(option => option.Groups[1].Value)
                .Where(option => option is not ("--help" or "--verbose"))]));
        }

        verbs.Count.ShouldBeGreaterThan(10);
        verbs.Sum(verb => verb.Item2.Count).ShouldBeGreaterThan(60);
        return verbs;
    }

    [GeneratedRegex("^  ([a-z]+)", RegexOptions.Multiline)]
    private static partial Regex Verbs();

    // One line may name an option's other forms: -o, --out; the first of several long ones is its name.
    [GeneratedRegex("^  (?:-[a-z?], )*(--[a-z0-9-]+)", RegexOptions.Multiline)]
    private static partial Regex Options();
}
