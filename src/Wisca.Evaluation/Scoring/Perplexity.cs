using System.Text;
using Wisca.Data.Corpora;

namespace Wisca.Evaluation.Scoring;

/// <summary>
/// The log-likelihood of documents, each by itself and behind the prefix token, in windows of the model's positions: what the harness's
/// <c>loglikelihood_rolling</c> computes, and by default what its <c>wikitext</c> task makes of it.
/// </summary>
public sealed class Perplexity
{
    // Windows of several documents go through the model together: so many batches, then the sums are handed over.
    private const int BatchesTogether = 4;

    private readonly ModelScorer _scorer;
    private readonly PerplexityOptions _options;
    private readonly int _stride;

    /// <summary>Creates it.</summary>
    /// <param name="scorer">The model.</param>
    /// <param name="options">What to measure; null for the harness's way.</param>
    /// <exception cref="WiscaException">The stride is longer than a window.</exception>
    public Perplexity(ModelScorer scorer, PerplexityOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(scorer);
        _scorer = scorer;
        _options = options ?? new PerplexityOptions();
        _stride = _options.Stride ?? scorer.MaxLength;
        if (_stride < 1 || _stride > scorer.MaxLength)
            throw new WiscaException(
                $"a stride of {_stride} tokens, but a window has {scorer.MaxLength}",
                $"take one from 1 to {scorer.MaxLength}");
    }

    /// <summary>Finds the files of a text, so that they are read as the options say.</summary>
    /// <param name="sources">Files, folders and patterns.</param>
    /// <param name="options">What to measure.</param>
    /// <param name="reading">The field and the separator; null for the defaults.</param>
    /// <exception cref="WiscaException">As for <see cref="CorpusReader.Open"/>.</exception>
    public static CorpusReader Open(IEnumerable<string> sources, PerplexityOptions options, CorpusReaderOptions? reading = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        return CorpusReader.Open(sources, PerplexityDocuments.Reading(options.Documents, reading ?? new CorpusReaderOptions()));
    }

    /// <summary>Measures texts.</summary>
    /// <param name="texts">What <see cref="CorpusReader.Documents"/> gives; of the same texts in the same order each time.</param>
    /// <param name="done">What was measured already: its documents are passed over, and its sums added. The result is that of a measurement
    /// in one go to the last bit.</param>
    /// <param name="progress">Told the sums so far, whenever they can be gone on from.</param>
    /// <param name="cancellation">Looked at before every layer.</param>
    /// <exception cref="WiscaException">The texts cannot be read, or there is no document;
    /// or the tokenizer has neither BOS nor EOS.</exception>
    public PerplexitySums Measure(
        IEnumerable<string> texts, PerplexitySums done = default, IProgress<PerplexitySums>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        var sums = done;
        var documents = new List<(PerplexityDocument Document, TokenRequest[] Windows)>();
        int windows = 0;
        long passed = 0;
        foreach (var document in PerplexityDocuments.Cut(texts, _options))
        {
            cancellation.ThrowIfCancellationRequested();
            if (passed++ < done.Documents) continue;
            TokenRequest[] cut =
            [
                .. RollingWindows.Cut(
                    _scorer.Encoder.EncodeDocument(document.Scored), _scorer.Encoder.PrefixToken, _scorer.MaxLength, _stride),
            ];
            documents.Add((document, cut));
            windows += cut.Length;
            if (windows < BatchesTogether * _scorer.BatchSize) continue;
            Add();
        }

        if (documents.Count > 0) Add();
        return sums.Tokens > 0
            ? sums
            : throw new WiscaException(
                "the text has no document with a token in it",
                "name a text, or another way to cut it into documents");

        void Add()
        {
            sums = Sum(sums, documents, cancellation);
            documents.Clear();
            windows = 0;
            progress?.Report(sums);
        }
    }

    private PerplexitySums Sum(
        PerplexitySums sums, List<(PerplexityDocument Document, TokenRequest[] Windows)> documents, CancellationToken cancellation)
    {
        var answers = _scorer.Score([.. documents.SelectMany(entry => entry.Windows)], null, null, cancellation);
        int next = 0;
        foreach (var (document, windows) in documents)
        {
            double logLikelihood = 0;
            foreach (var _ in windows) logLikelihood += answers[next++].Sum;
            sums = sums with
            {
                Documents = sums.Documents + 1,
                DetokenizedDocuments = sums.DetokenizedDocuments + (document.Original == document.Scored ? 0 : 1),
                Windows = sums.Windows + windows.Length,
                Tokens = sums.Tokens + windows.Sum(window => (long)window.Continuation.Length),
                Words = sums.Words + PythonText.Words(document.Original),
                Bytes = sums.Bytes + Encoding.UTF8.GetByteCount(document.Original),
                LogLikelihood = sums.LogLikelihood + logLikelihood,
            };
        }

        return sums;
    }
}
