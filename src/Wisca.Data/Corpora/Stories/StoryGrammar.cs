using System.Text;

namespace Wisca.Data.Corpora.Stories;

/// <summary>The word lists and plots, read from the two files that lie in the assembly.
/// Their form is described at the top of each.</summary>
internal sealed class StoryGrammar
{
    private readonly Dictionary<string, StoryWord[]> _lists = new(StringComparer.Ordinal);
    private readonly Dictionary<string, StoryPart[][]> _rules = new(StringComparer.Ordinal);
    private readonly Dictionary<string, StoryVariable> _common = new(StringComparer.Ordinal);

    private StoryGrammar()
    {
    }

    public List<StoryPlot> Plots { get; } = [];

    public static StoryGrammar Load()
    {
        var grammar = new StoryGrammar();
        grammar.ReadWords(Lines("words.txt"));
        grammar.ReadPlots(Lines("plots.txt"));
        return grammar;
    }

    public StoryWord[] List(string name) =>
        _lists.TryGetValue(name, out var words) ? words : throw new InvalidOperationException($"there is no list '{name}'");

    public StoryPart[][] Rule(string name) =>
        _rules.TryGetValue(name, out var rule) ? rule : throw new InvalidOperationException($"there is no rule '{name}'");

    public StoryVariable? Variable(StoryPlot plot, string name) =>
        plot.Variables.GetValueOrDefault(name) ?? _common.GetValueOrDefault(name);

    private static string[] Lines(string name)
    {
        using var reader = new StreamReader(typeof(StoryGrammar).Assembly.GetManifestResourceStream("Stories/" + name)!, Encoding.UTF8);
        return
        [
            .. reader.ReadToEnd().Split('\n').Select(line => line.Trim()).Where(line => !line.StartsWith("//", StringComparison.Ordinal)),
        ];
    }

    private void ReadWords(string[] lines)
    {
        string list = "";
        Dictionary<string, string[]> defaults = [];
        var words = new List<StoryWord>();
        foreach (string line in lines.Where(line => line.Length > 0).Append("[end]"))
        {
            if (line[0] == '[')
            {
                if (list.Length > 0) _lists.Add(list, [.. words]);
                words.Clear();
                list = line[1..line.IndexOf(']')];
                defaults = Attributes(line[(list.Length + 2)..]);
            }
            else if (line.Contains('='))
            {
                words.Add(Word(line[..line.IndexOf('|')].Trim(), Attributes(line[line.IndexOf('|')..]), defaults));
            }
            else
            {
                words.AddRange(line.Split(',').Select(text => Word(text.Trim(), [], defaults)));
            }
        }
    }

    /// <summary>An entry has its own attributes, those of its list, and those of its number; a star marks a plural.</summary>
    private StoryWord Word(string text, Dictionary<string, string[]> own, Dictionary<string, string[]> defaults)
    {
        bool plural = text.EndsWith('*');
        var all = new Dictionary<string, string[]>(own, StringComparer.Ordinal);
        foreach (var (key, values) in defaults) all.TryAdd(key, values);
        if (_lists.TryGetValue("numbers", out var numbers))
        {
            foreach (var (key, values) in numbers[plural ? 1 : 0].Attributes) all.TryAdd(key, values);
        }

        return new StoryWord(text.TrimEnd('*'), all);
    }

    private static Dictionary<string, string[]> Attributes(string text) =>
        text.Split('|')
            .Where(part => part.Contains('='))
            .Select(part => part.Split('='))
            .ToDictionary(
                pair => pair[0].Trim(),
                pair => pair[1].Split('/').Select(value => value.Trim()).ToArray(),
                StringComparer.Ordinal);

    private void ReadPlots(string[] lines)
    {
        for (int at = 0; at < lines.Length;)
        {
            string[] words = lines[at].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            int end = Array.FindIndex(
                lines,
                at + 1,
                line => line.StartsWith("rule ", StringComparison.Ordinal) || line.StartsWith("plot ", StringComparison.Ordinal));
            if (end < 0) end = lines.Length;
            string[] body = lines[(at + 1)..end];
            if (words is ["rule", var rule]) _rules.Add(rule, Options(body));
            else if (words is ["plot", var plot, var world]) Plots.Add(Plot(plot, world, body));
            else foreach (string line in lines[at..end].Where(line => line.Length > 0)) AddVariable(_common, line);
            at = end;
        }
    }

    private StoryPlot Plot(string name, string world, string[] body)
    {
        var variables = new Dictionary<string, StoryVariable>(StringComparer.Ordinal);
        foreach (string line in body.Where(IsVariable)) AddVariable(variables, line);
        string text = string.Join(' ', body.Where(line => !IsVariable(line)).Select(line => line.Length == 0 ? "\n" : line));
        return new StoryPlot(
            name, Animals: world is "any" or "animals", People: world is "any" or "people", variables, StoryPart.Parse(text.Trim()));
    }

    private static bool IsVariable(string line) => line.StartsWith("let ", StringComparison.Ordinal);

    /// <summary>Each option begins with a dash and may go on over several lines.</summary>
    private static StoryPart[][] Options(string[] body) =>
        [
            .. string.Join(' ', body)
                .Split("- ", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                .Select(StoryPart.Parse),
        ];

    private void AddVariable(Dictionary<string, StoryVariable> variables, string line)
    {
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words is not ["let", var name, "=", var source, ..]) throw new InvalidOperationException($"not understood: {line}");
        string[] names = source.Split('.');
        variables.Add(name, names.Length == 2
            ? new StoryVariable([], names[0], names[1])
            : new StoryVariable([.. source.Split('+').SelectMany(List)], words is [.., "not", var other] ? other : null, null));
    }
}
