using Wisca.Evaluation.Tasks.Data;

namespace Wisca.Evaluation.Tasks.Making;

/// <summary>Which of five stories a sentence continues: the one that it stood in, or one of four that are about as long.</summary>
internal sealed class ContinuationItems : IItemMaker
{
    private const int Tries = 200, FewestBefore = 2, LengthsApart = 6;

    public string Name => "continuation";

    public string About => "which of five stories goes on with a sentence";

    public int Choices => 5;

    public bool ChoosesContext => true;

    public IEnumerable<MadeItem> Make(StorySentences text, PythonRandom random)
    {
        // A sentence that is said twice may continue another story as well.
        var once = text.Paragraphs.SelectMany(paragraph => paragraph).CountBy(sentence => sentence)
            .Where(entry => entry.Value == 1).Select(entry => entry.Key).ToHashSet(StringComparer.Ordinal);
        var places = text.Drawn(random)
            .Where(entry => StorySentences.IsUsable(entry.Paragraph[entry.Index]) && once.Contains(entry.Paragraph[entry.Index]))
            .Select(entry => (entry.Paragraph, entry.Index, Context: StorySentences.Before(entry.Paragraph, entry.Index, FewestBefore)))
            .Where(entry => entry.Context is not null)
            .ToList();

        // One question a paragraph.
        var asked = new HashSet<IReadOnlyList<string>>(ReferenceEqualityComparer.Instance);
        foreach (var (paragraph, index, context) in places)
        {
            if (asked.Contains(paragraph)) continue;
            List<string> contexts = [context!];
            for (int @try = 0; @try < Tries && contexts.Count < Choices; @try++)
            {
                var (other, _, wrong) = places[random.Below(places.Count)];
                if (
                    !ReferenceEquals(other, paragraph)
                    && Math.Abs(StorySentences.Words(wrong!) - StorySentences.Words(context!)) <= LengthsApart
                    && !contexts.Contains(wrong!))
                    contexts.Add(wrong!);
            }

            if (contexts.Count < Choices) continue;
            asked.Add(paragraph);
            yield return new MadeItem(contexts, paragraph[index]);
        }
    }
}
