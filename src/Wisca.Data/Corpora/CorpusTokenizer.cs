using System.Text;
using Wisca.Data.Tokenizers;

namespace Wisca.Data.Corpora;

/// <summary>Turns documents into token files: every document's ids, then the token that ends it.</summary>
public static class CorpusTokenizer
{
    // What a thread gets at a time: enough that handing it over costs nothing, little enough that all threads have some of a small corpus.
    private const int BatchCharacters = 1 << 16;

    /// <summary>Tokenises the files of a corpus.</summary>
    /// <param name="corpus">The documents.</param>
    /// <param name="tokenizer">Makes ids of them.</param>
    /// <param name="path">The token file to write.</param>
    /// <param name="heldOutPath">The token file of what is held out; null where the options hold out nothing.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <param name="force">Whether to replace token files that are there.</param>
    /// <param name="progress">Told after each batch of documents.</param>
    /// <param name="cancellation">Stops it; nothing is left behind.</param>
    /// <exception cref="WiscaException">
    /// No token ends documents, there is no document, one side of the split has none,
    /// a file cannot be read, or an output is taken or cannot be written.
    /// </exception>
    public static TokenizedCorpus Tokenize(
        CorpusReader corpus, Tokenizer tokenizer, string path, string? heldOutPath = null, CorpusTokenizerOptions? options = null,
        bool force = false,
        IProgress<CorpusProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        var meter = new Meter(corpus.Length);
        return Tokenize(corpus.Documents(meter, cancellation), tokenizer, path, heldOutPath, options, force, progress, meter, cancellation);
    }

    /// <summary>Tokenises documents from anywhere; as for files.</summary>
    /// <param name="documents">The documents; enumerated twice where a number of documents is held out.</param>
    /// <param name="tokenizer">Makes ids of them.</param>
    /// <param name="path">The token file to write.</param>
    /// <param name="heldOutPath">The token file of what is held out; null where the options hold out nothing.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <param name="force">Whether to replace token files that are there.</param>
    /// <param name="progress">Told after each batch of documents.</param>
    /// <param name="cancellation">Stops it; nothing is left behind.</param>
    /// <exception cref="WiscaException">As for files.</exception>
    public static TokenizedCorpus Tokenize(
        IEnumerable<string> documents, Tokenizer tokenizer, string path, string? heldOutPath = null,
        CorpusTokenizerOptions? options = null, bool force = false,
        IProgress<CorpusProgress>? progress = null, CancellationToken cancellation = default) =>
        Tokenize(documents, tokenizer, path, heldOutPath, options, force, progress, new Meter(0), cancellation);

    /// <summary>The id that ends every document.</summary>
    /// <exception cref="WiscaException">The tokenizer has none and none is given, or the given one is beyond its vocabulary.</exception>
    internal static int EosOf(Tokenizer tokenizer, CorpusTokenizerOptions options)
    {
        int eos = options.EosId ?? tokenizer.EosId
            ?? throw new WiscaException(
                $"{tokenizer.Source}: the tokenizer has no EOS token to end documents with",
                "name one of its tokens (--eos), or name an eos_token in tokenizer_config.json");
        return eos >= 0 && eos < tokenizer.VocabularySize
            ? eos
            : throw new WiscaException(
                $"EOS id {eos} is beyond the vocabulary of {tokenizer.VocabularySize}",
                "name an id of the tokenizer's");
    }

    private static TokenizedCorpus Tokenize(
        IEnumerable<string> documents, Tokenizer tokenizer, string path, string? heldOutPath, CorpusTokenizerOptions? options, bool force,
        IProgress<CorpusProgress>? progress, Meter meter, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(documents);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(path);
        options ??= new CorpusTokenizerOptions();
        Check(options);
        if (options.HoldsOut != heldOutPath is not null)
            throw new ArgumentException("a path for what is held out, and a share or a number of it, go together", nameof(heldOutPath));
        int eos = EosOf(tokenizer, options);
        string hash = TokenizerHash.Of(tokenizer);
        using var training = TokenFileWriter.Create(path, tokenizer.VocabularySize, hash, eos, force);
        using var heldOut = heldOutPath is null ? null : TokenFileWriter.Create(heldOutPath, tokenizer.VocabularySize, hash, eos, force);
        var split = new HeldOutSplit(documents, options, cancellation);
        var batches = InOrder(documents, options.Threads, texts => Encode(texts, tokenizer, options.AddSpecialTokens, eos), cancellation);
        foreach (var batch in batches)
        {
            foreach (var (text, index, ids) in batch)
            {
                (split.IsHeldOut(text, index) ? heldOut! : training).Append(ids, Encoding.UTF8.GetByteCount(text));
            }

            progress?.Report(
                new CorpusProgress(
                    training.Documents + (heldOut?.Documents ?? 0), training.Count + (heldOut?.Count ?? 0), meter.Read, meter.Length));
        }

        if (training.Documents + (heldOut?.Documents ?? 0) == 0)
            throw new WiscaException("the corpus has no document with text in it", "name files that hold text");
        if (training.Documents == 0)
            throw new WiscaException(
                $"the only documents there are ({heldOut!.Documents}) were held out",
                "hold out less, or put lines with the separator between documents");
        if (heldOut?.Documents == 0)
            throw new WiscaException(
                $"none of the {training.Documents} documents was held out",
                "hold out more, or put lines with the separator between documents");

        // What is held out comes first: a training file without it would look whole. An old one of either beside a new one would have
        // documents in both.
        TokenFileWriter.Commit(heldOut is null ? [training] : [heldOut, training]);
        return new TokenizedCorpus(
            Part(path, training), heldOut is null ? null : Part(heldOutPath!, heldOut), hash, tokenizer.VocabularySize, eos);
    }

    private static void Check(CorpusTokenizerOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Threads, 1);
        if (!(options.HeldOutFraction is >= 0 and < 1))
            throw new WiscaException(
                $"held-out fraction {options.HeldOutFraction} is not from 0 to below 1",
                "hold out, for instance, 0.01");
        if (options.HeldOutCount < 0)
            throw new WiscaException($"held-out count {options.HeldOutCount} is negative", "hold out, for instance, 100 documents");
        if (options is { HeldOutFraction: > 0, HeldOutCount: > 0 })
            throw new WiscaException("both a fraction and a count of documents are to be held out", "give one of them");
    }

    private static TokenizedPart Part(string path, TokenFileWriter writer) => new(path, writer.Documents, writer.Count, writer.TextBytes);

    private static List<(string Text, long Index, int[] Ids)> Encode(
        List<(string Text, long Index)> texts, Tokenizer tokenizer, bool addSpecialTokens, int eos
    ) =>
        [
            .. texts.Select(document =>
            {
                int[] ids = tokenizer.Encode(document.Text, addSpecialTokens);
                return (document.Text, document.Index, ids is [.., var last] && last == eos ? ids : [.. ids, eos]);
            }),
        ];

    /// <summary>Does work on batches of documents on some threads while the next ones are read, and gives the results in order.</summary>
    private static IEnumerable<T> InOrder<T>(
        IEnumerable<string> documents, int threads, Func<List<(string Text, long Index)>, T> work, CancellationToken cancellation)
    {
        var factory = new TaskFactory(
            cancellation, TaskCreationOptions.None, TaskContinuationOptions.None,
            new ConcurrentExclusiveSchedulerPair(TaskScheduler.Default, threads).ConcurrentScheduler);
        var running = new Queue<Task<T>>();
        try
        {
            foreach (var batch in Batches(documents, cancellation))
            {
                running.Enqueue(factory.StartNew(() => work(batch)));
                if (running.Count > 2 * threads) yield return running.Dequeue().GetAwaiter().GetResult();
            }

            while (running.Count > 0) yield return running.Dequeue().GetAwaiter().GetResult();
        }
        finally
        {
            // After a failure the rest is waited for, so that nothing goes on behind the caller's back.
            foreach (var task in running) ((IAsyncResult)task).AsyncWaitHandle.WaitOne();
        }
    }

    private static IEnumerable<List<(string Text, long Index)>> Batches(IEnumerable<string> documents, CancellationToken cancellation)
    {
        var batch = new List<(string, long)>();
        long index = 0, characters = 0;
        foreach (string text in documents)
        {
            cancellation.ThrowIfCancellationRequested();
            batch.Add((text, index++));
            characters += text.Length;
            if (characters < BatchCharacters) continue;
            yield return batch;
            batch = [];
            characters = 0;
        }

        if (batch.Count > 0) yield return batch;
    }

    /// <summary>Remembers how far the reader is.</summary>
    private sealed class Meter(long length) : IProgress<long>
    {
        public long Length { get; } = length;

        public long Read { get; private set; }

        public void Report(long value) => Read = value;
    }
}
