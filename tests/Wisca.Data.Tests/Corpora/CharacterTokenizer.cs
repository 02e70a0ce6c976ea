using Wisca.Data.Tokenizers;

namespace Wisca.Data.Tests.Corpora;

/// <summary>A token for each character code; 0 is BOS and 1 is EOS.</summary>
internal sealed class CharacterTokenizer(int vocabularySize = 512, int? eos = 1, bool eosAround = false) : Tokenizer
{
    public override TokenizerKind Kind => TokenizerKind.TokenizerJson;

    public override string Source => "characters";

    public override int VocabularySize => vocabularySize;

    public override int? BosId => 0;

    public override int? EosId => eos;

    public override int[] Encode(string text, bool addSpecialTokens = true)
    {
        int[] ids = [.. text.Select(c => (int)c)];
        return !addSpecialTokens ? ids : eosAround ? [0, .. ids, eos!.Value] : [0, .. ids];
    }

    public override string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true) =>
        string.Concat(ids.ToArray().Where(id => id > 1).Select(id => (char)id));

    public override int? FindId(string token) => token.Length == 1 ? token[0] : null;

    public override string? FindToken(int id) => ((char)id).ToString();
}
