using System.Runtime.InteropServices;
using Wisca.Data.Tokenizers.Pipelines;
using Wisca.Data.Tokenizers.PreTokenizers;

namespace Wisca.Data.Tokenizers.Training;

/// <summary>Counts the words of documents as the tokenizer will see them:
/// pieces of GPT-2's pattern, spelled in the byte-level alphabet.</summary>
internal static class WordCounter
{
    private const int ReportEvery = 1000;

    /// <summary>Counts on several threads; each has a table of its own, and the sum does not depend on who counted what.</summary>
    public static (IReadOnlyDictionary<string, long> Words, long Documents) Count(
        IEnumerable<string> documents, string[] specialTokens, BytePairTrainingOptions options, CancellationToken cancellation)
    {
        var matcher = new AddedTokenMatcher(specialTokens.Select((token, index) => (token, new AddedToken(token, index, Special: true))));
        var total = new Dictionary<string, long>(StringComparer.Ordinal);
        long count = 0;
        var parallel = new ParallelOptions
        {
            MaxDegreeOfParallelism = options.Threads == 0 ? Environment.ProcessorCount : options.Threads,
            CancellationToken = cancellation,
        };
        try
        {
            Parallel.ForEach(documents, parallel, () => new Table(matcher), (document, _, table) =>
            {
                table.Add(document);
                long done = Interlocked.Increment(ref count);
                if (done % ReportEvery == 0) options.Progress?.Report(new BytePairTrainingProgress(done, 256 + specialTokens.Length));
                return table;
            }, table =>
            {
                lock (total) table.AddTo(total);
            });
        }
        catch (AggregateException exception) when (exception.InnerExceptions.OfType<WiscaException>().FirstOrDefault() is { } cause)
        {
            // A corpus that cannot be read says so itself.
            throw new WiscaException(cause.Message, cause.Hint, exception);
        }

        return (total, count);
    }

    private sealed class Table(AddedTokenMatcher matcher)
    {
        private static readonly ByteLevelPreTokenizer PreTokenizer = new(addPrefixSpace: false, split: true);
        private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);
        private readonly List<TextSegment> _segments = [];
        private readonly PieceBuffer _pieces = new();

        public void Add(string document)
        {
            string text = PipelineTokenizer.WithoutLoneSurrogates(document);
            _segments.Clear();
            matcher.Cut(text, _segments);
            var bySpan = _counts.GetAlternateLookup<ReadOnlySpan<char>>();
            foreach (var (start, end, id) in _segments)
            {
                if (id is not null) continue;
                _pieces.Clear();
                PreTokenizer.Apply(text.AsSpan(start, end - start), atStart: start == 0, _pieces);
                for (int i = 0; i < _pieces.Count; i++) CollectionsMarshal.GetValueRefOrAddDefault(bySpan, _pieces[i], out _)++;
            }
        }

        public void AddTo(Dictionary<string, long> total)
        {
            foreach (var (word, count) in _counts) CollectionsMarshal.GetValueRefOrAddDefault(total, word, out _) += count;
        }
    }
}
