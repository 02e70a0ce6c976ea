using System.Reflection;
using Wisca.Evaluation.Tasks.Data;

namespace Wisca.Evaluation.Tasks.Making;

/// <summary>What it came of: which of three short stories, made from <c>causes.txt</c>, has a given end. They need no text.</summary>
internal sealed class CauseItems : IItemMaker
{
    private static readonly (string Name, string Noun, string He, string His, string Him)[] Heroes =
    [
        ("Lily", "girl", "she", "her", "her"), ("Tim", "boy", "he", "his", "him"), ("Mia", "girl", "she", "her", "her"),
        ("Ben", "boy", "he", "his", "him"), ("Sue", "girl", "she", "her", "her"), ("Max", "boy", "he", "his", "him"),
        ("Amy", "girl", "she", "her", "her"), ("Tom", "boy", "he", "his", "him"), ("Lucy", "girl", "she", "her", "her"),
        ("Sam", "boy", "he", "his", "him"), ("Anna", "girl", "she", "her", "her"), ("Jack", "boy", "he", "his", "him"),
        ("Sara", "girl", "she", "her", "her"), ("Bob", "boy", "he", "his", "him"),
    ];

    private static readonly string[] Beginnings =
    [
        "Once upon a time, there was a little {noun} named {name}.",
        "{name} was a little {noun}.",
        "There was a {noun} called {name} who liked to play outside.",
        "One day, a little {noun} named {name} went to the park with {his} mom.",
    ];

    private readonly List<(string Effect, string[] Excluded, string[] Causes)> _effects = Read();

    public string Name => "cause";

    public string About => "which of three causes has an effect";

    public int Choices => 3;

    public bool ChoosesContext => true;

    public IEnumerable<MadeItem> Make(StorySentences text, PythonRandom random)
    {
        var all = _effects
            .SelectMany(effect => effect.Causes.Select(cause => (effect, cause)))
            .SelectMany(entry => Beginnings.SelectMany(beginning => Heroes.Select(hero => (entry.effect, entry.cause, beginning, hero))))
            .ToList();
        foreach (int index in random.Sample(all.Count, all.Count))
        {
            var (effect, cause, beginning, hero) = all[index];
            var others = _effects.Where(other => other.Effect != effect.Effect && !effect.Excluded.Contains(other.Effect)).ToList();
            string[] causes =
            [
                cause,
                .. random.Sample(others.Count, Choices - 1)
                    .Select(other => others[other].Causes[random.Below(others[other].Causes.Length)]),
            ];
            yield return new MadeItem([.. causes.Select(Context)], $"very {effect.Effect}.");

            string Context(string what) => $"{beginning} {what} {{He}} was"
                .Replace("{noun}", hero.Noun, StringComparison.Ordinal)
                .Replace("{name}", hero.Name, StringComparison.Ordinal)
                .Replace("{he}", hero.He, StringComparison.Ordinal)
                .Replace("{He}", char.ToUpperInvariant(hero.He[0]) + hero.He[1..], StringComparison.Ordinal)
                .Replace("{his}", hero.His, StringComparison.Ordinal)
                .Replace("{him}", hero.Him, StringComparison.Ordinal);
        }
    }

    private static List<(string, string[], string[])> Read()
    {
        using var reader = new StreamReader(Assembly.GetExecutingAssembly().GetManifestResourceStream("Making/causes.txt")!);
        List<(string, string[], string[])> effects = [];
        foreach (string block in reader.ReadToEnd().ReplaceLineEndings("\n").Split("\n\n", StringSplitOptions.RemoveEmptyEntries))
        {
            string[] lines = [.. block.Split('\n').Where(line => line.Length > 0 && line[0] != '#')];
            if (lines.Length == 0) continue;
            string[] head = lines[0].Split(" not ");
            effects.Add((head[0].TrimEnd(':'), head.Length > 1 ? head[1].TrimEnd(':').Split(' ') : [], lines[1..]));
        }

        return effects;
    }
}
