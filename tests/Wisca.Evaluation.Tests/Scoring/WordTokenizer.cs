using Wisca.Data.Tokenizers;

namespace Wisca.Evaluation.Tests.Scoring;

/// <summary>
/// A tokenizer of the tests: a token is a word with the space before it, or a single other character. Ids 1 and 2 are BOS and EOS, the
/// others are given out as words come, and start again where the vocabulary ends.
/// </summary>
internal sealed class WordTokenizer(int vocabulary = 50, bool addsBos = false, bool hasBos = true, bool hasEos = true) : Tokenizer
{
    private const string Bos = "<s>", Eos = "</s>";

    private readonly Dictionary<string, int> _ids = [];

    public override TokenizerKind Kind => TokenizerKind.TokenizerJson;

    public override string Source => "words";

    public override int VocabularySize => vocabulary;

    public override int? BosId => hasBos ? 1 : null;

    public override int? EosId => hasEos ? 2 : null;

    public int[] Ids(params string[] words) => [.. words.Select(Id)];

    public override int[] Encode(string text, bool addSpecialTokens = true)
    {
        var ids = new List<int>();
        if (addSpecialTokens && addsBos) ids.Add(1);
        for (int i = 0; i < text.Length;)
        {
            string? special = new[] { Bos, Eos }.FirstOrDefault(text[i..].StartsWith);
            int end = i + (special?.Length ?? 1);
            if (special is null && (text[i] == ' ' || char.IsLetter(text[i])))
            {
                while (end < text.Length && char.IsLetter(text[end])) end++;
            }

            ids.Add(Id(text[i..end]));
            i = end;
        }

        return [.. ids];
    }

    public override string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true) => throw new NotSupportedException();

    public override int? FindId(string token) => throw new NotSupportedException();

    public override string? FindToken(int id) => id switch { 1 => Bos, 2 => Eos, _ => _ids.FirstOrDefault(entry => entry.Value == id).Key };

    private int Id(string word)
    {
        if (word is Bos) return 1;
        if (word is Eos) return 2;
        if (!_ids.TryGetValue(word, out int id)) _ids.Add(word, id = 3 + (_ids.Count % (vocabulary - 3)));
        return id;
    }
}
