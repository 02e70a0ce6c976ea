using System.Text.RegularExpressions;

namespace Wisca.Evaluation.Tasks.Making;

/// <summary>The paragraphs of stories, each a list of sentences.</summary>
internal sealed partial class StorySentences
{
    // Words that a question may have before it and in it.
    private const int ContextWords = 60, FewestWords = 3, MostWords = 30;

    private StorySentences(IReadOnlyList<IReadOnlyList<string>> paragraphs)
    {
        Paragraphs = paragraphs;
        Names = FindNames(paragraphs);
    }

    /// <summary>The paragraphs.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Paragraphs { get; }

    /// <summary>Names of people and animals, the most frequent first: words that are written with a capital within sentences,
    /// and never without.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Takes documents apart.</summary>
    /// <param name="documents">Texts whose paragraphs stand between empty lines.</param>
    public static StorySentences Of(IEnumerable<string> documents) =>
        new(
            [
                .. documents
                    .SelectMany(document => ParagraphBreak().Split(document.ReplaceLineEndings("\n")))
                    .Select(paragraph => (IReadOnlyList<string>)[
                        .. Sentence().Matches(Space().Replace(paragraph, " ").Trim()).Select(match => match.Value.Trim()),
                    ])
                    .Where(sentences => sentences.Count > 0),
            ]);

    /// <summary>True for a sentence that a question may be made of: neither a fragment nor too long.</summary>
    public static bool IsUsable(string sentence) =>
        char.IsUpper(sentence[0])
        && Words(sentence) is >= FewestWords and <= MostWords
        && !sentence.Contains('"', StringComparison.Ordinal);

    /// <summary>The sentences of a paragraph before one of them, the nearest, so far as they are not too long;
    /// null where there are none.</summary>
    /// <param name="paragraph">The paragraph.</param>
    /// <param name="index">The sentence.</param>
    /// <param name="fewest">As many there must be.</param>
    public static string? Before(IReadOnlyList<string> paragraph, int index, int fewest)
    {
        int first = index, words = 0;
        while (first > 0 && (words += Words(paragraph[first - 1])) <= ContextWords) first--;
        return index - first >= fewest && char.IsUpper(paragraph[first].TrimStart('"')[0])
            ? string.Join(' ', paragraph.Skip(first).Take(index - first))
            : null;
    }

    /// <summary>Number of words.</summary>
    public static int Words(string sentence) => sentence.AsSpan().Count(' ') + 1;

    /// <summary>Every sentence with its paragraph, in an order that is drawn.</summary>
    /// <param name="random">Draws it.</param>
    public IEnumerable<(IReadOnlyList<string> Paragraph, int Index)> Drawn(Data.PythonRandom random)
    {
        var all = Paragraphs
            .SelectMany(paragraph => Enumerable.Range(0, paragraph.Count).Select(index => (Paragraph: paragraph, Index: index)))
            .ToList();
        return random.Sample(all.Count, all.Count).Select(index => all[index]);
    }

    private static List<string> FindNames(IReadOnlyList<IReadOnlyList<string>> paragraphs)
    {
        const int frequent = 5;
        var inside = new Dictionary<string, int>(StringComparer.Ordinal);
        var small = new HashSet<string>(StringComparer.Ordinal);
        foreach (string sentence in paragraphs.SelectMany(paragraph => paragraph))
        {
            foreach (Match word in Word().Matches(sentence))
            {
                if (char.IsLower(word.Value[0])) small.Add(word.Value);
                else if (word.Index > 1 && sentence[word.Index - 1] == ' ' && char.IsLetter(sentence[word.Index - 2]))
                    inside[word.Value] = inside.GetValueOrDefault(word.Value) + 1;
            }
        }

        return
        [
            .. inside
                .Where(entry => entry.Value >= frequent && entry.Key.Length > 2 && !small.Contains(entry.Key.ToLowerInvariant()))
                .OrderByDescending(entry => entry.Value)
                .ThenBy(entry => entry.Key, StringComparer.Ordinal)
                .Select(entry => entry.Key),
        ];
    }

    [GeneratedRegex(@"\n\s*\n")]
    private static partial Regex ParagraphBreak();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();

    [GeneratedRegex(@"[^.!?]+[.!?]+[""']?(?=\s|$)")]
    private static partial Regex Sentence();

    [GeneratedRegex("[A-Za-z]+")]
    private static partial Regex Word();
}
