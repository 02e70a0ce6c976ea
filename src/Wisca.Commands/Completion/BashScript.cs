namespace Wisca.Commands.Completion;

/// <summary>Completion for bash.</summary>
internal static class BashScript
{
    public static IEnumerable<string> Lines(IReadOnlyList<CompletedVerb> verbs, IReadOnlyList<CompletedOption> options)
    {
        yield return "# Completion of wisca for bash: source <(wisca completion bash)";
        yield return "_wisca() {";
        yield return "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} verb= words= word";
        yield return "  # The equals sign of --option=value is a word of its own.";
        yield return "  if [ \"$current\" = = ]; then current=";
        yield return "  elif [ \"$previous\" = = ]; then previous=${COMP_WORDS[COMP_CWORD - 2]}; fi";
        yield return "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD - 1}\"; do case $word in -*) ;; *) verb=$word; break ;; esac; done";
        yield return "  COMPREPLY=()";
        yield return "  case \"$verb:$previous\" in";
        foreach (var (verb, option) in verbs.SelectMany(verb => verb.Options.Select(option => (verb, option))))
        {
            if (option.Value is { } value)
                yield return $"    {string.Join(" | ", option.Forms.Select(form => $"{verb.Name}:{form}"))}) {Offer(value)} ;;";
        }

        yield return "    *)";
        yield return "      case \"$verb:$current\" in";
        yield return $"        :*) words='{Words(verbs.Select(verb => verb.Name).Concat(options.Select(option => option.Name)))}' ;;";
        foreach (var verb in verbs)
        {
            yield return $"        {verb.Name}:-*) words='{Words(verb.Options.Select(option => option.Name))}' ;;";
            if (verb.Argument is { } argument) yield return $"        {verb.Name}:*) {Offer(argument)} ;;";
        }

        yield return "      esac ;;";
        yield return "  esac";
        yield return "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))";
        yield return "}";
        yield return "complete -F _wisca wisca";
    }

    private static string Offer(CompletedValue value) =>
        (value.Words.Count > 0 ? $"words='{Words(value.Words)}'" : "words=") + (value.IsPath ? "; compopt -o default" : "");

    private static string Words(IEnumerable<string> words) => string.Join(' ', words);
}
