using CsCheck;
using Wisca.Data.Tokenizers.Models;

namespace Wisca.Data.Tests.Tokenizers.Models;

/// <summary>The engine against the definition of byte-pair encoding, written down as it stands in a textbook.</summary>
public sealed class BytePairModelTests
{
    // Three letters of the vocabulary, one outside, one beyond the basic plane.
    private static readonly string[] Letters = ["a", "b", "\U0001D49C", "?"];

    private static readonly Gen<string> Texts = Gen.OneOf(Letters).Array[0, 150].Select(string.Concat);

    private static readonly Gen<(string, string)[]> MergeLists =
        Gen.Select(Gen.Int[0, 30], Gen.Int[0, 30]).Array[0, 14].Select(picks =>
        {
            List<string> tokens = ["a", "b", "\U0001D49C"];
            var merges = new List<(string, string)>();
            foreach (var (left, right) in picks)
            {
                var merge = (tokens[left % tokens.Count], tokens[right % tokens.Count]);
                if (tokens.Contains(merge.Item1 + merge.Item2)) continue;
                merges.Add(merge);
                tokens.Add(merge.Item1 + merge.Item2);
            }

            return merges.ToArray();
        });

    [Fact]
    public void Encode_RandomMerges_AgreesWithTheDefinition() =>
        Gen.Select(MergeLists, Texts, Gen.Bool, Gen.Bool, Gen.Bool).Sample(
            (merges, text, equalRanks, fuse, hasUnknown) =>
            {
                string[] tokens = ["<unk>", "a", "b", "\U0001D49C", .. merges.Select(merge => merge.Item1 + merge.Item2)];
                var vocabulary = new Vocabulary([.. tokens.Select((token, id) => (token, id))], "test");
                BytePairMerge[] list =
                [
                    .. merges.Select((merge, index) => new BytePairMerge(
                        vocabulary.Find(merge.Item1)!.Value, vocabulary.Find(merge.Item2)!.Value, equalRanks ? index / 3 : index,
                        vocabulary.Find(merge.Item1 + merge.Item2)!.Value)),
                ];
                var model = new BytePairModel(
                    vocabulary, list, new BytePairOptions { UnknownId = hasUnknown ? 0 : null, FuseUnknown = fuse });
                var ids = new List<int>();
                var encoder = model.CreateEncoder();
                if (text.Length > 0) encoder.Encode(text, ids);
                ids.ShouldBe(Definition(text, list, vocabulary, hasUnknown, fuse));
                if (text.Length == 0) return;
                ids.Clear();
                encoder.Encode(text, ids); // from what it remembers
                ids.ShouldBe(Definition(text, list, vocabulary, hasUnknown, fuse));
            },
            iter: 3000);

    private static List<int> Definition(string text, BytePairMerge[] merges, Vocabulary vocabulary, bool hasUnknown, bool fuse)
    {
        var ids = new List<int>();
        foreach (var rune in text.EnumerateRunes())
        {
            if (vocabulary.Find(rune.ToString()) is { } id) ids.Add(id);
            else if (hasUnknown && !(fuse && ids.Count > 0 && ids[^1] == 0)) ids.Add(0);
        }

        while (true)
        {
            (int Place, BytePairMerge Merge)? best = null;
            for (int place = 0; place + 1 < ids.Count; place++)
            {
                foreach (var merge in merges)
                {
                    bool fits = merge.Left == ids[place] && merge.Right == ids[place + 1];
                    if (fits && (best is not { } other || merge.Rank < other.Merge.Rank)) best = (place, merge);
                }
            }

            if (best is not { } chosen) return ids;
            ids[chosen.Place] = chosen.Merge.Result;
            ids.RemoveAt(chosen.Place + 1);
        }
    }
}
