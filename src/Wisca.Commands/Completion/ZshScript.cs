namespace Wisca.Commands.Completion;

/// <summary>Completion for zsh.</summary>
internal static class ZshScript
{
    public static IEnumerable<string> Lines(IReadOnlyList<CompletedVerb> verbs, IReadOnlyList<CompletedOption> options)
    {
        yield return "#compdef wisca";
        yield return "# Completion of wisca for zsh: source <(wisca completion zsh), or save it as _wisca in a folder of $fpath.";
        yield return "_wisca_words_or_files() { compadd -- \"$@\"; _files }";
        yield return "_wisca() {";
        yield return "  local state line";
        yield return "  local -a verbs=(";
        foreach (var verb in verbs) yield return $"    {Quoted($"{verb.Name}:{verb.Description}")}";
        yield return "  )";
        yield return $"  _arguments -C {string.Join(' ', options.SelectMany(Specifications))} '1: :->verb' '*:: :->rest'";
        yield return "  case $state in";
        yield return "    verb) _describe -t commands command verbs ;;";
        yield return "    rest)";
        yield return "      case $words[1] in";
        foreach (var verb in verbs)
        {
            string[] specifications = [.. verb.Options.SelectMany(Specifications), .. Argument(verb)];
            yield return $"        {verb.Name}) _arguments \\";
            for (int i = 0; i < specifications.Length; i++)
                yield return $"          {specifications[i]} {(i < specifications.Length - 1 ? "\\" : ";;")}";
        }

        yield return "      esac ;;";
        yield return "  esac";
        yield return "}";
        yield return "if [ \"$funcstack[1]\" = _wisca ]; then _wisca \"$@\"; else compdef _wisca wisca; fi";
    }

    private static IEnumerable<string> Specifications(CompletedOption option) =>
        option.Forms.Select(form =>
        {
            string equals = option.Value is not null && form == option.Name ? "=" : "";
            return Quoted($"*{form}{equals}[{Escaped(option.Description)}]{Action(option.Value)}");
        });

    private static IEnumerable<string> Argument(CompletedVerb verb) =>
        verb.Argument is { } argument ? [Quoted($"*{Action(argument)}")] : [];

    private static string Action(CompletedValue? value) => value switch
    {
        null => "",
        { Words: [], IsPath: true } => $":{Escaped(value.Name)}:_files",
        { Words: [] } => $":{Escaped(value.Name)}: ",
        { IsPath: true } => $":{Escaped(value.Name)}:{{_wisca_words_or_files {string.Join(' ', value.Words)}}}",
        _ => $":{Escaped(value.Name)}:({string.Join(' ', value.Words)})",
    };

    private static string Escaped(string text) =>
        text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("[", "\\[", StringComparison.Ordinal)
            .Replace("]", "\\]", StringComparison.Ordinal).Replace(":", "\\:", StringComparison.Ordinal);

    private static string Quoted(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
