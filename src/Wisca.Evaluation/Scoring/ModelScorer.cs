using System.Globalization;
using Wisca.Data.Tokenizers;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Scoring;

/// <summary>
/// Answers requests by a model. A context that several continuations have is computed once for all of them, only the rows of continuations
/// are projected to the vocabulary, and logits are turned into log-probabilities in float32
/// (float64 in a model of that) and added up in float64.
/// </summary>
/// <remarks>
/// As in the harness, a request that has more tokens than the model has positions loses the first ones of its context; <see cref="Counts"/>
/// tells how many did. Equal requests in any order go through the model in the same batches and have the same answers to the last bit.
/// Other batch sizes, and other requests beside them, change answers by rounding.
/// </remarks>
public sealed class ModelScorer : ILogLikelihoodScorer
{
    // Logits held at a time: 16 MB in float32.
    private const int MostLogits = 1 << 22;

    private readonly Decoder _decoder;
    private readonly ScoringOptions _options;

    /// <summary>Creates a scorer.</summary>
    /// <param name="decoder">The model; stays the caller's.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <exception cref="WiscaException">The length that is asked for is more than the model's positions.</exception>
    public ModelScorer(Decoder decoder, Tokenizer tokenizer, ScoringOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(decoder);
        _decoder = decoder;
        _options = options ?? new ScoringOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.BatchSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.BatchTokens, 1);
        Encoder = new RequestEncoder(tokenizer, _options.AddSpecialTokens);
        MaxLength = _options.MaxLength ?? decoder.Config.MaxPositions;
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxLength, 1);
        if (MaxLength > decoder.Config.MaxPositions)
            throw new WiscaException(
                $"a length of {MaxLength} tokens, but the model was made for {decoder.Config.MaxPositions} positions",
                "take a shorter one");
    }

    /// <summary>Makes ids of requests.</summary>
    public RequestEncoder Encoder { get; }

    /// <summary>At most so many tokens stand before a predicted one.</summary>
    public int MaxLength { get; }

    /// <summary>How many sequences go through the model together.</summary>
    public int BatchSize => _options.BatchSize;

    /// <summary>What was done so far.</summary>
    public ScoringCounts Counts { get; private set; }

    /// <inheritdoc />
    /// <exception cref="WiscaException">A continuation has no tokens, or more than the model has positions;
    /// or an id is not of the model's vocabulary.</exception>
    public LogLikelihood[] Score(
        IReadOnlyList<LogLikelihoodRequest> requests, IProgress<int>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        var numbers = new Dictionary<LogLikelihoodRequest, int>();
        var distinct = new List<LogLikelihoodRequest>();
        int[] places = new int[requests.Count];
        int[] weights = new int[requests.Count];
        for (int i = 0; i < requests.Count; i++)
        {
            if (numbers.TryAdd(requests[i], distinct.Count)) distinct.Add(requests[i]);
            places[i] = numbers[requests[i]];
            weights[places[i]]++;
        }

        var encoded = Encoder.Encode(distinct, cancellation);
        long joined = 0;
        for (int i = 0; i < encoded.Length; i++)
        {
            if (encoded[i].Continuation.Length == 0 && Encoder.EncodeJoined(distinct[i]) is { } request)
            {
                encoded[i] = request;
                joined++;
            }

            if (Fault(encoded[i]) is { } fault)
                throw new WiscaException(
                    $"the continuation '{Short(distinct[i].Continuation)}' of the context '{Short(distinct[i].Context)}' {fault.Message}",
                    fault.Hint);
        }

        var answers = Score(encoded, weights, progress, cancellation);
        Counts = Counts with
        {
            Requests = Counts.Requests + requests.Count - distinct.Count,
            JoinedContinuations = Counts.JoinedContinuations + joined,
        };
        return [.. places.Select(place => answers[place])];
    }

    /// <summary>Answers requests of ids. The log-likelihood of each is that of its own tokens; equal ones are computed once.</summary>
    /// <param name="requests">The requests, each without fault.</param>
    /// <param name="weights">For how many each of them counts as done; null for one.</param>
    /// <param name="progress">Told how many are done.</param>
    /// <param name="cancellation">Looked at before every layer.</param>
    internal LogLikelihood[] Score(
        IReadOnlyList<TokenRequest> requests, int[]? weights, IProgress<int>? progress, CancellationToken cancellation)
    {
        var fitted = new TokenRequest[requests.Count];
        long truncated = 0;
        for (int i = 0; i < fitted.Length; i++)
        {
            CheckVocabulary(requests[i]);
            fitted[i] = Fit(requests[i]);
            if (fitted[i].Context.Length < requests[i].Context.Length) truncated++;
        }

        var answers = new LogLikelihood[fitted.Length];
        int done = 0;
        var counts = Counts with
        {
            Requests = Counts.Requests + fitted.Length,
            TruncatedContexts = Counts.TruncatedContexts + truncated,
            RequestTokens = Counts.RequestTokens + fitted.Sum(request => (long)request.Context.Length + request.Continuation.Length - 1),
        };
        using var ungraded = no_grad();
        foreach (var batch in ScoringPlan.Batches(ScoringPlan.Rows(fitted, Limits()), _options))
        {
            cancellation.ThrowIfCancellationRequested();
            Answer(batch, answers, cancellation);
            foreach (int place in batch.SelectMany(row => row.Branches).SelectMany(branch => branch.Places)) done += weights?[place] ?? 1;
            counts = counts with
            {
                DistinctRequests = counts.DistinctRequests + batch.Sum(row => row.Branches.Count),
                ModelTokens = counts.ModelTokens + batch.Sum(row => (long)row.Length),
                PaddedTokens = counts.PaddedTokens + ((long)batch.Count * batch.Max(row => row.Length)),
                PredictedTokens =
                    counts.PredictedTokens + batch.SelectMany(row => row.Branches).Sum(branch => (long)branch.Continuation.Length),
            };
            progress?.Report(done);
        }

        Counts = counts;
        return answers;
    }

    private int[] Limits() => [.. _decoder.Config.Layers.Select(layer => layer.Rope?.Limit).OfType<int>().Distinct()];

    private (string Message, string Hint)? Fault(TokenRequest request)
    {
        if (request.Continuation.Length == 0)
            return ("has no tokens, expected at least one", "a request needs a text to score behind its context");
        return request.Continuation.Length > MaxLength
            ? (
                $"has {request.Continuation.Length} tokens, but the model has {MaxLength} positions",
                "give a shorter one, or take another model")
            : null;
    }

    private static string Short(string text) => text.Length <= 60 ? text : string.Concat(text.AsSpan(0, 40), "...");

    private void CheckVocabulary(TokenRequest request)
    {
        int size = _decoder.Config.VocabularySize, largest = Math.Max(request.Context.Max(), request.Continuation.Max());
        if (largest >= size)
            throw new WiscaException(
                $"token {largest} is not below the model's vocabulary of {size}",
                "the tokenizer belongs to another model");
    }

    /// <summary>What stands before the predicted tokens has at most so many tokens as the model has positions.</summary>
    private TokenRequest Fit(TokenRequest request)
    {
        int excess = request.Context.Length + request.Continuation.Length - (MaxLength + 1);
        return excess > 0 ? request with { Context = request.Context[excess..] } : request;
    }

    private void Answer(List<ScoringRow> batch, LogLikelihood[] answers, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var layout = new BatchLayout(batch);
        var hidden = layout.Hidden(_decoder, cancellation).flatten(0, 1);
        var branches = batch.SelectMany(row => row.Branches).ToArray();
        double[] sums = new double[branches.Length];
        bool[] greedy = new bool[branches.Length];
        Array.Fill(greedy, true);
        int most = Math.Max(1, MostLogits / _decoder.Config.VocabularySize), next = 0;
        for (int begin = 0; begin < layout.Places.Length; begin += most)
        {
            using var piece = NewDisposeScope();
            int end = Math.Min(begin + most, layout.Places.Length), first = next;
            while (next < layout.Predictions.Length && layout.Predictions[next].Place < end) next++;
            var predictions = layout.Predictions.AsSpan(first, next - first);
            var logits = _decoder.Logits(
                hidden.index_select(0, tensor(layout.Places.AsSpan(begin, end - begin).ToArray(), device: hidden.device)));
            if (logits.dtype != ScalarType.Float64) logits = logits.to(ScalarType.Float32);
            long width = logits.shape[1];
            long[] targets = new long[predictions.Length];
            for (int i = 0; i < targets.Length; i++) targets[i] = ((predictions[i].Place - begin) * width) + predictions[i].Token;
            double[] chosen = Numbers(logits.flatten().index_select(0, tensor(targets, device: logits.device))),
                totals = Numbers(logits.logsumexp(1));
            long[] best = logits.argmax(1).cpu().data<long>().ToArray();
            for (int i = 0; i < targets.Length; i++)
            {
                var (place, token, branch) = predictions[i];
                if (!double.IsFinite(chosen[i]) || !double.IsFinite(totals[place - begin]))
                    throw _decoder.NotFinite(string.Create(
                        CultureInfo.InvariantCulture, $"the logits at position {layout.Position(place)} of a sequence"));
                sums[branch] += chosen[i] - totals[place - begin];
                greedy[branch] &= best[place - begin] == token;
            }
        }

        for (int branch = 0; branch < branches.Length; branch++)
        {
            foreach (int place in branches[branch].Places) answers[place] = new LogLikelihood(sums[branch], greedy[branch]);
        }

        static double[] Numbers(Tensor values) => values.to(ScalarType.Float64, CPU).data<double>().ToArray();
    }
}
