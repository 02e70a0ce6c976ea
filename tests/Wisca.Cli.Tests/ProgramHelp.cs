using System.Text.RegularExpressions;

namespace Wisca.Cli.Tests;

/// <summary>What the program's own help says of its verbs.</summary>
internal static partial class ProgramHelp
{
    /// <summary>An option as the help describes it.</summary>
    /// <param name="Forms">Its forms and the name of its value: <c>-o, --out DIR</c>.</param>
    /// <param name="Description">What it does.</param>
    /// <param name="Default">What holds where it is not given; <c>required</c>, or null where the help does not say.</param>
    internal sealed record Option(string Forms, string Description, string? Default)
    {
        /// <summary>Its first long form.</summary>
        public string Name => Names.First();

        /// <summary>All its long forms.</summary>
        public IEnumerable<string> Names => LongForm().Matches(Forms).Select(match => match.Value);
    }

    /// <summary>The verbs, in the help's order, each with its options but those that all have.</summary>
    public static async Task<IReadOnlyList<(string Verb, IReadOnlyList<Option> Options)>> ReadAsync()
    {
        string help = (await CommandRun.RunAsync("--help")).Output.ReplaceLineEndings("\n");
        var verbs = new List<(string Verb, IReadOnlyList<Option> Options)>();
        foreach (Match verb in Verbs().Matches(help.Split("Commands:\n")[1]))
        {
            string name = verb.Groups[1].Value, text = (await CommandRun.RunAsync(name, "--help")).Output.ReplaceLineEndings("\n");
            verbs.Add((name, [.. Options().Matches(text.Split("Options:\n")[1]).Select(Read)
                .Where(option => option.Name is not ("--help" or "--verbose"))]));
        }

        verbs.Count.ShouldBeGreaterThan(10);
        verbs.Sum(verb => verb.Options.Count).ShouldBeGreaterThan(60);
        return verbs;
    }

    private static Option Read(Match match)
    {
        string forms = match.Groups[1].Value.Replace(" (REQUIRED)", "", StringComparison.Ordinal);
        var described = Default().Match(match.Groups[2].Value);

        // The number of processors is that of this machine.
        string? value = forms != match.Groups[1].Value ? "required"
            : described.Success && !forms.Contains("--threads", StringComparison.Ordinal) ? described.Groups[2].Value
            : null;
        return new Option(
            forms.Replace("<", "", StringComparison.Ordinal).Replace(">", "", StringComparison.Ordinal),
            described.Success ? described.Groups[1].Value : match.Groups[2].Value,
            value);
    }

    [GeneratedRegex("^  ([a-z-]+)", RegexOptions.Multiline)]
    private static partial Regex Verbs();

    [GeneratedRegex("^  (\\S.*?)  +(\\S.*)$", RegexOptions.Multiline)]
    private static partial Regex Options();

    [GeneratedRegex("--[a-z0-9_-]+")]
    private static partial Regex LongForm();

    [GeneratedRegex(@"^(.*) \[default: (.*)\]$")]
    private static partial Regex Default();
}
