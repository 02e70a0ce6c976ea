using Wisca.Evaluation.Tasks.Data;

namespace Wisca.Evaluation.Tasks.Making;

/// <summary>
/// Which verb agrees with its subject, in four kinds of sentences: plain, with two subjects, with another noun in between and with a clause
/// in between. Singular and plural come as often. It needs no text.
/// </summary>
internal sealed class AgreementItems : IItemMaker
{
    private static readonly (string One, string Many)[] Nouns =
    [
        ("cat", "cats"), ("dog", "dogs"), ("bird", "birds"), ("boy", "boys"), ("girl", "girls"), ("tree", "trees"), ("flower", "flowers"),
        ("toy", "toys"), ("ball", "balls"), ("car", "cars"), ("box", "boxes"), ("bear", "bears"), ("rabbit", "rabbits"), ("frog", "frogs"),
        ("house", "houses"), ("rock", "rocks"), ("friend", "friends"), ("duck", "ducks"), ("truck", "trucks"), ("cake", "cakes"),
    ];

    private static readonly string[] Between = ["near", "next to", "behind", "with", "under", "beside"];

    private static readonly string[] Looks = ["little", "big", "red", "old", "pretty", "funny"];

    private static readonly string[] Clauses = ["that Lily saw", "that Tim liked", "that mom found", "that Ben played with"];

    private static readonly (string One, string Many)[] Verbs = [("was", "were"), ("is", "are"), ("has been", "have been")];

    private static readonly string[] Ends =
        ["big", "very small", "pretty", "red", "so happy", "nice", "old", "very good", "not there", "ready"];

    public string Name => "agreement";

    public string About => "which verb agrees with its subject, beside another noun";

    public int Choices => 2;

    public bool ChoosesContext => false;

    public IEnumerable<MadeItem> Make(StorySentences text, PythonRandom random)
    {
        for (bool plural = false; ; plural = !plural)
        {
            int[] nouns = random.Sample(Nouns.Length, 2);
            var (subject, other) = (Nouns[nouns[0]], Nouns[nouns[1]]);
            string noun = plural ? subject.Many : subject.One, end = Draw(Ends);
            var (one, many) = Verbs[random.Below(Verbs.Length)];
            string context = random.Below(4) switch
            {
                0 => $"The {Draw(Looks)} {noun}",
                1 => plural ? $"The {subject.One} and the {other.One}" : $"The {subject.One} {Draw(Clauses)}",
                2 => $"The {noun} {Draw(Between)} the {(random.Below(2) == 0 ? other.One : other.Many)}",
                _ => $"The {noun} {Draw(Clauses)}",
            };
            yield return new MadeItem(context, plural ? [$"{many} {end}.", $"{one} {end}."] : [$"{one} {end}.", $"{many} {end}."]);
        }

        string Draw(string[] words) => words[random.Below(words.Length)];
    }
}
