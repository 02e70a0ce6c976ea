namespace Wisca.Evaluation.Scoring;

/// <summary>Groups requests by their context and lays them out in batches.
/// The batches are the same for any order of the requests.</summary>
internal static class ScoringPlan
{
    // Behind a shorter context it costs more to hide the continuations from each other than to compute the context again.
    private const int LeastShared = 8;

    // Tokens of continuations in a row: attention looks at every pair of them.
    private const int MostBranchTokens = 512;

    // Of the tokens of a batch, so many may be padding, unless it is so small that another batch costs more than they do.
    private const double MostPadding = 0.04;
    private const int LeastTokens = 512;

    /// <summary>The rows of all requests.</summary>
    /// <param name="requests">The requests.</param>
    /// <param name="limits">Lengths of sequences from which the model rotates all positions otherwise.</param>
    public static List<ScoringRow> Rows(IReadOnlyList<TokenRequest> requests, IReadOnlyCollection<int> limits)
    {
        var groups = new Dictionary<int[], List<int>>(new ContentComparer());
        for (int i = 0; i < requests.Count; i++)
        {
            if (!groups.TryGetValue(requests[i].Context, out var members)) groups.Add(requests[i].Context, members = []);
            members.Add(i);
        }

        var rows = groups.SelectMany(group => Rows(group.Key, group.Value, requests, limits)).ToList();
        rows.Sort();
        return rows;
    }

    public static IEnumerable<List<ScoringRow>> Batches(IReadOnlyList<ScoringRow> rows, ScoringOptions options)
    {
        var batch = new List<ScoringRow>();
        long used = 0;
        foreach (var row in rows)
        {
            long tokens = batch.Count == 0 ? 0 : (long)batch[0].Length * (batch.Count + 1);
            bool full =
                batch.Count == options.BatchSize
                || (batch.Count > 0 && (
                    batch[0].Forks != row.Forks
                    || batch[0].Beyond != row.Beyond
                    || tokens > options.BatchTokens
                    || (tokens > LeastTokens && tokens - used - row.Length > MostPadding * tokens)));
            if (full)
            {
                yield return batch;
                (batch, used) = ([], 0);
            }

            batch.Add(row);
            used += row.Length;
        }

        if (batch.Count > 0) yield return batch;
    }

    private static IEnumerable<ScoringRow> Rows(
        int[] context, List<int> members, IReadOnlyList<TokenRequest> requests, IReadOnlyCollection<int> limits)
    {
        // Texts that differ can have the same ids.
        var branches = members
            .GroupBy(member => requests[member].Continuation, new ContentComparer())
            .Select(same => new ScoringRow.Branch(same.Key, [.. same]))
            .Order();
        int most = context.Length < LeastShared ? 0 : MostBranchTokens, fed = 0;
        var row = new List<ScoringRow.Branch>();
        foreach (var branch in branches)
        {
            if (row.Count > 0 && (fed + branch.Fed > most || Beyond(branch) != Beyond(row[0])))
            {
                yield return new ScoringRow(context, row, Beyond(row[0]));
                (row, fed) = ([], 0);
            }

            row.Add(branch);
            fed += branch.Fed;
        }

        yield return new ScoringRow(context, row, Beyond(row[0]));

        int Beyond(ScoringRow.Branch branch) => limits.Count(limit => context.Length + branch.Fed > limit);
    }

    private sealed class ContentComparer : IEqualityComparer<int[]>
    {
        public bool Equals(int[]? x, int[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(int[] ids)
        {
            var hash = new HashCode();
            hash.AddBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes<int>(ids));
            return hash.ToHashCode();
        }
    }
}
