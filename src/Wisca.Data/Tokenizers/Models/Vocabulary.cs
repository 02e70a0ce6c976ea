namespace Wisca.Data.Tokenizers.Models;

/// <summary>The tokens of a model and their ids, one to one.</summary>
internal sealed class Vocabulary
{
    /// <summary>Far above any real vocabulary; an id beyond it is an error in the file, not a reason to reserve memory.</summary>
    public const int MaxId = (1 << 24) - 1;

    private readonly Dictionary<string, int> _ids;
    private readonly string?[] _tokens;

    /// <param name="entries">Every token with its id.</param>
    /// <param name="where">The file and key, for error messages.</param>
    /// <exception cref="WiscaException">Two tokens share an id, a token has two, or an id is out of range.</exception>
    public Vocabulary(IReadOnlyCollection<(string Token, int Id)> entries, string where)
    {
        _ids = new Dictionary<string, int>(entries.Count, StringComparer.Ordinal);
        foreach (var (token, id) in entries)
        {
            if (id is < 0 or > MaxId)
                throw new WiscaException($"{where}: token {Quote(token)} has the id {id}, expected 0 to {MaxId}", Hint);
            if (!_ids.TryAdd(token, id)) throw new WiscaException($"{where}: token {Quote(token)} stands there twice", Hint);
        }

        _tokens = new string?[entries.Count == 0 ? 0 : entries.Max(entry => entry.Id) + 1];
        foreach (var (token, id) in entries)
        {
            if (_tokens[id] is { } other)
                throw new WiscaException($"{where}: tokens {Quote(other)} and {Quote(token)} both have the id {id}", Hint);
            _tokens[id] = token;
        }
    }

    /// <summary>How many tokens there are.</summary>
    public int Count => _ids.Count;

    /// <summary>One more than the highest id.</summary>
    public int Size => _tokens.Length;

    /// <summary>The token of an id; null where there is none.</summary>
    public string? this[int id] => (uint)id < (uint)_tokens.Length ? _tokens[id] : null;

    private static string Hint => "the tokenizer file is damaged or not a whole one; fetch it again";

    /// <summary>The id of a token; null where there is none.</summary>
    public int? Find(string token) => _ids.TryGetValue(token, out int id) ? id : null;

    /// <summary>Looks tokens up without making strings of them.</summary>
    public Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> BySpan() => _ids.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>A token for an error message, not too long.</summary>
    public static string Quote(string token) => token.Length > 40 ? $"'{token.AsSpan(0, 40)}...'" : $"'{token}'";
}
