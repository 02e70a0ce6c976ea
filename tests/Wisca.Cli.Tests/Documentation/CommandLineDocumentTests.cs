using System.Text.RegularExpressions;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Documentation;

/// <summary>The documents' commands are the program's: <c>docs/cli.md</c> has every verb and option and no others, and no document shows a
/// command with a verb or an option that does not exist.</summary>
public sealed partial class CommandLineDocumentTests
{
    private static readonly string[] Everywhere = ["--help", "--verbose"];

    [Fact]
    public async Task Document_Verbs_AreThoseOfTheHelp()
    {
        string document = TestRepository.ReadText("docs", "cli.md").ReplaceLineEndings("\n");
        string[] verbs = [.. (await ProgramHelp.ReadAsync()).Select(verb => verb.Verb)];
        Headings().Matches(document).Select(match => match.Groups[1].Value).ShouldBe(verbs);
        Summaries().Matches(document).Select(match => match.Groups[1].Value).Distinct().Order().ShouldBe(verbs.Order());
    }

    [Fact]
    public async Task Document_OptionsOfAVerb_AreThoseOfItsHelp()
    {
        string document = TestRepository.ReadText("docs", "cli.md").ReplaceLineEndings("\n");
        foreach (var (verb, options) in await ProgramHelp.ReadAsync())
        {
            string section = document.Split($"\n## {verb}\n")[1].Split("\n## ")[0];
            Rows().Matches(section).Select(match => match.Value).ShouldBe(options.Select(Row), $"docs/cli.md, {verb}");
        }
    }

    [Fact]
    public async Task Documents_Commands_HaveVerbsAndOptionsThatExist()
    {
        var verbs = (await ProgramHelp.ReadAsync()).ToDictionary(
            verb => verb.Verb,
            verb => verb.Options.SelectMany(option => option.Names).Concat(Everywhere).ToHashSet(StringComparer.Ordinal));
        int commands = 0;
        foreach (string document in Documents())
        {
            foreach (Match command in Commands().Matches(Code(document)))
            {
                string verb = command.Groups[1].Value, rest = command.Groups[2].Value.Split(" #")[0];
                verbs.ShouldContainKey(verb, $"{document}: {command.Value}");
                foreach (Match option in LongOption().Matches(rest))
                    verbs[verb].ShouldContain(option.Groups[1].Value, $"{document}: {command.Value}");
                commands++;
            }
        }

        commands.ShouldBeGreaterThan(50);
    }

    private static IEnumerable<string> Documents() =>
    [
        TestRepository.PathOf("README.md"),
        .. Directory.EnumerateFiles(TestRepository.PathOf("docs"), "*.md"),
        .. Directory.EnumerateFiles(TestRepository.PathOf("src"), "README.md", SearchOption.AllDirectories),
        .. Directory.EnumerateFiles(TestRepository.PathOf("configs"), "*.yaml", SearchOption.AllDirectories),
    ];

    /// <summary>The lines of code blocks and the code spans of Markdown, each on a line of its own; the comments of YAML.</summary>
    private static string Code(string document)
    {
        string text = File.ReadAllText(document).ReplaceLineEndings("\n");
        var lines = Path.GetExtension(document) == ".yaml"
            ? Comments().Matches(text).Select(match => match.Groups[1].Value)
            : Blocks().Matches(text).Concat(Spans().Matches(Blocks().Replace(text, ""))).Select(match => match.Groups[1].Value);
        return string.Join('\n', lines);
    }

    private static string Row(ProgramHelp.Option option)
    {
        string value = option.Default switch
        {
            null => " ",
            "required" => " required ",
            var text => $" `{Cell(text)}` ",
        };
        return $"| `{Cell(option.Forms)}` | {Cell(option.Description)} |{value}|";
    }

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);

    [GeneratedRegex("^## (.+)$", RegexOptions.Multiline)]
    private static partial Regex Headings();

    [GeneratedRegex("^\\| `([a-z][a-z-]*)[ `]", RegexOptions.Multiline)]
    private static partial Regex Summaries();

    [GeneratedRegex("^\\| `-.*$", RegexOptions.Multiline)]
    private static partial Regex Rows();

    [GeneratedRegex(@"(?:^|^\$ |\()(?:\./)?wisca ([a-z][a-z-]*)\b([^\n]*)", RegexOptions.Multiline)]
    private static partial Regex Commands();

    [GeneratedRegex("^ *```[a-z]*\n(.*?)^ *```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Blocks();

    [GeneratedRegex("`([^`\n]+)`")]
    private static partial Regex Spans();

    [GeneratedRegex("^# +(.*)$", RegexOptions.Multiline)]
    private static partial Regex Comments();

    [GeneratedRegex(@"(?<=\s)(--[a-z][a-z0-9_-]*)")]
    private static partial Regex LongOption();
}
