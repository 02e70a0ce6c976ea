using System.Globalization;

namespace Wisca.Data.Instructions;

/// <summary>What examples say beyond what was read of them: in how many of them each key stands.</summary>
public sealed class UnusedKeys
{
    // What tells where an example is from, and nothing that a model could learn.
    private static readonly HashSet<string> Bookkeeping = new(
        [
            "id", "_id", "idx", "index", "uuid", "guid", "example_id", "prompt_id", "conversation_id", "conversation_hash",
            "hash", "source", "dataset", "dataset_name", "subset", "split", "origin", "url", "license", "category", "type",
            "task", "task_type", "tag", "tags", "topic", "domain", "lang", "language", "model", "model_name", "generator",
            "score", "rating", "quality", "difficulty", "date", "created", "created_at", "timestamp", "num_turns",
            "num_tokens", "length", "meta", "metadata", "__index_level_0__", "messages.name", "messages.id",
            "messages.timestamp",
        ],
        StringComparer.Ordinal);

    private readonly Dictionary<string, int> _counts = new(StringComparer.Ordinal);

    /// <summary>Number of examples that were read.</summary>
    public int Examples { get; private set; }

    /// <summary>The keys and in how many examples each stands, the most frequent first. A message's key is <c>messages.KEY</c>.</summary>
    public IReadOnlyList<(string Key, int Examples)> Counts =>
        [
            .. _counts
                .OrderByDescending(entry => entry.Value)
                .ThenBy(entry => entry.Key, StringComparer.Ordinal)
                .Select(entry => (entry.Key, entry.Value)),
        ];

    /// <summary>The same in words: a line for each key that may matter, and one for all that tell where examples are from.</summary>
    public IEnumerable<string> Describe()
    {
        foreach (var (key, count) in Counts.Where(entry => !Bookkeeping.Contains(entry.Key)))
            yield return string.Create(CultureInfo.InvariantCulture, $"{key}: in {count} of {Examples} examples, not used");
        string[] others = [.. Counts.Select(entry => entry.Key).Where(Bookkeeping.Contains)];
        if (others.Length > 0) yield return $"not used either: {string.Join(", ", others)}";
    }

    /// <summary>Counts an example.</summary>
    /// <param name="keys">Its keys that are not used.</param>
    internal void Add(IEnumerable<string> keys)
    {
        Examples++;
        AddTo(keys);
    }

    /// <summary>Counts more keys of an example that is counted.</summary>
    /// <param name="keys">The keys.</param>
    internal void AddTo(IEnumerable<string> keys)
    {
        foreach (string key in keys.Distinct(StringComparer.Ordinal)) _counts[key] = _counts.GetValueOrDefault(key) + 1;
    }
}
