using System.Text;
using System.Text.RegularExpressions;

namespace Wisca.Data.Tests.Tokenizers.Training;

/// <summary>BPE training and encoding as the definition says it, with nothing remembered:
/// every merge counts everything anew. Tokens are byte strings.</summary>
internal static class NaiveTrainer
{
    private static readonly Regex Words = new(
        @"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        RegexOptions.CultureInvariant);

    /// <summary>The merges, as pairs of byte strings in Latin-1.</summary>
    public static List<(string Left, string Right)> Train(IEnumerable<string> documents, int merges, long minFrequency)
    {
        var words = documents.SelectMany(Split).ToList();
        var ages = Enumerable
            .Range(0, 256)
            .OrderBy(Rank)
            .Select((value, age) => (Token: ((char)value).ToString(), age))
            .ToDictionary(pair => pair.Token, pair => pair.age);
        var learnt = new List<(string, string)>();
        while (learnt.Count < merges)
        {
            var pairs = words
                .SelectMany(word => word.Zip(word.Skip(1)))
                .GroupBy(pair => pair)
                .Select(group => (Pair: group.Key, Count: group.LongCount()))
                .ToList();
            if (pairs.Count == 0 || pairs.Max(pair => pair.Count) < minFrequency) break;
            var best = pairs
                .OrderByDescending(pair => pair.Count)
                .ThenBy(pair => ages[pair.Pair.First])
                .ThenBy(pair => ages[pair.Pair.Second])
                .First()
                .Pair;
            learnt.Add(best);
            ages.TryAdd(best.First + best.Second, ages.Count);
            foreach (var word in words) Merge(word, best);
        }

        return learnt;
    }

    /// <summary>Applies each merge in turn, everywhere.</summary>
    public static List<string> Encode(string text, IEnumerable<(string Left, string Right)> merges)
    {
        var words = Split(text).ToList();
        foreach (var merge in merges) words.ForEach(word => Merge(word, merge));
        return [.. words.SelectMany(word => word)];
    }

    private static IEnumerable<List<string>> Split(string text) =>
        Words.Matches(text).Select(match => Encoding.UTF8.GetBytes(match.Value).Select(value => ((char)value).ToString()).ToList());

    /// <summary>Printable bytes come first, the others after them.</summary>
    private static int Rank(int value) => value is (>= 33 and <= 126) or (>= 161 and <= 172) or (>= 174 and <= 255) ? value : 256 + value;

    private static void Merge(List<string> word, (string Left, string Right) merge)
    {
        for (int i = 0; i + 1 < word.Count; i++)
        {
            if (word[i] != merge.Left || word[i + 1] != merge.Right) continue;
            word[i] += word[i + 1];
            word.RemoveAt(i + 1);
        }
    }
}
