using System.Text.RegularExpressions;
using Wisca.Evaluation.Tasks.Data;

namespace Wisca.Evaluation.Tasks.Making;

/// <summary>Who a sentence is about: he, she or they, where nothing else in the sentence tells.</summary>
internal sealed partial class PronounItems : IItemMaker
{
    private static readonly string[] Pronouns = ["He", "She", "They"];

    public string Name => "pronoun";

    public string About => "whether a sentence is about him, her or them";

    public int Choices => Pronouns.Length;

    public bool ChoosesContext => false;

    public IEnumerable<MadeItem> Make(StorySentences text, PythonRandom random)
    {
        foreach (var (paragraph, index) in text.Drawn(random))
        {
            string sentence = paragraph[index];
            if (!StorySentences.IsUsable(sentence) || StorySentences.Before(paragraph, index, 1) is not { } context) continue;
            string first = sentence[..sentence.IndexOf(' ', StringComparison.Ordinal)], rest = sentence[first.Length..];
            if (!Pronouns.Contains(first) || Telling().IsMatch(rest)) continue;
            yield return new MadeItem(context, [sentence, .. Pronouns.Where(other => other != first).Select(other => other + rest)]);
        }
    }

    [GeneratedRegex(
        @"\b(he|she|they|him|her|his|hers|them|their|theirs|himself|herself|themselves|"
        + @"(was|were|is|are|has|have|does|do)(n't)?|each other|both|all)\b|^ \w+[^s]s\b",
        RegexOptions.IgnoreCase)]
    private static partial Regex Telling();
}
