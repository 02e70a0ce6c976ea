using System.Text.RegularExpressions;
using Wisca.Evaluation.Tasks.Data;

namespace Wisca.Evaluation.Tasks.Making;

/// <summary>Whose name it is: the one that was told before, among four that were not.</summary>
internal sealed partial class NameItems : IItemMaker
{
    // Distractors are names that every model knows.
    private const int FrequentNames = 24;

    public string Name => "name";

    public string About => "which of five names was told before";

    public int Choices => 5;

    public bool ChoosesContext => false;

    public IEnumerable<MadeItem> Make(StorySentences text, PythonRandom random)
    {
        string[] frequent = [.. text.Names.Take(FrequentNames)];
        var known = text.Names.ToHashSet(StringComparer.Ordinal);
        foreach (var (paragraph, index) in text.Drawn(random))
        {
            string sentence = paragraph[index];
            if (!StorySentences.IsUsable(sentence) || StorySentences.Before(paragraph, index, 1) is not { } context) continue;
            if (Word().Matches(sentence).Select(word => word.Value).Where(known.Contains).Distinct().ToList() is not [var name]) continue;
            var told = Word().Matches(context).Select(word => word.Value).ToHashSet(StringComparer.Ordinal);
            string[] others = [.. frequent.Where(other => other != name && !told.Contains(other))];
            if (!told.Contains(name) || others.Length < Choices - 1) continue;
            yield return new MadeItem(
                context,
                [
                    sentence,
                    .. random.Sample(others.Length, Choices - 1)
                        .Select(other => Regex.Replace(sentence, $@"\b{name}\b", others[other])),
                ]);
        }
    }

    [GeneratedRegex("[A-Za-z]+")]
    private static partial Regex Word();
}
