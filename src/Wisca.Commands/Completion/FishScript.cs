namespace Wisca.Commands.Completion;

/// <summary>Completion for fish.</summary>
internal static class FishScript
{
    public static IEnumerable<string> Lines(IReadOnlyList<CompletedVerb> verbs, IReadOnlyList<CompletedOption> options)
    {
        yield return "# Completion of wisca for fish: wisca completion fish | source";
        yield return "complete -c wisca -e";
        yield return "complete -c wisca -f";
        foreach (var verb in verbs)
            yield return $"complete -c wisca -n __fish_use_subcommand -a {verb.Name} -d {Quoted(verb.Description)}";
        foreach (var option in options) yield return Line("__fish_use_subcommand", option);
        foreach (var verb in verbs)
        {
            string behind = Quoted($"__fish_seen_subcommand_from {verb.Name}");
            foreach (var option in verb.Options) yield return Line(behind, option);
            if (verb.Argument is not { } argument) continue;
            string words = string.Join(' ', argument.Words);
            yield return $"complete -c wisca -n {behind} {(words.Length > 0 ? $"-a {Quoted(words)}" : "-F")}";
        }
    }

    private static string Line(string condition, CompletedOption option)
    {
        string forms = string.Join(' ', option.Forms.Select(form => form is ['-', '-', ..] ? $"-l {form[2..]}" : $"-s {form[1..]}"));
        return $"complete -c wisca -n {condition} {forms}{Value(option.Value)} -d {Quoted(option.Description)}";
    }

    private static string Value(CompletedValue? value) => value switch
    {
        null => "",
        { Words: [], IsPath: true } => " -r -F",
        { Words: [] } => " -x",
        _ => $" {(value.IsPath ? "-r -F" : "-x")} -a {Quoted(string.Join(' ', value.Words))}",
    };

    private static string Quoted(string text) =>
        $"'{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'";
}
