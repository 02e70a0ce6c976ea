using System.Text.Json;
using TorchSharp;
using Wisca.Checkpoints;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Evaluation.Scoring;
using Wisca.Rescaling;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using Wisca.Transitions;

namespace Wisca.Evaluation.Tests.Scoring;

[Collection(TorchCollection.Name)]
public sealed class ModelScorerTests
{
    // Contexts that several continuations have, long enough to share and too short for it;
    // continuations of one token, that begin alike, that come twice.
    private const string Long = "The old man went down to the river to catch a fish";

    private static readonly LogLikelihoodRequest[] Requests =
    [
        new(Long, " and it was big"),
        new(Long, " and he was sad"),
        new(Long, " with a net"),
        new(Long, " today"),
        new(Long, " and it was big"),
        new(Long + " ", "today"),
        new("One day", " a bird sang"),
        new("One day", " a dog ran away"),
        new("One day", " it rained"),
        new("", "Once"),
        new("", "Once there was a king"),
        new(Long + " and cook it", " for his wife"),
        new("Two birds sat on the roof of a house", "."),
        new("Two birds sat on the roof of a house", "!"),
    ];

    [Theory]
    [MemberData(nameof(TinyFamilies.ModelTypes), MemberType = typeof(TinyFamilies))]
    public void Score_EveryFamily_AsEachRequestByItself(string modelType)
    {
        using var decoder = TinyFamilies.Create(modelType);
        var tokenizer = new WordTokenizer(TinyFamilies.Vocabulary);
        foreach (var path in Enum.GetValues<AttentionPath>())
        {
            decoder.AttentionPath = path;
            foreach (int? length in (int?[])[null, 9])
            {
                var scorer = new ModelScorer(decoder, tokenizer, new ScoringOptions { MaxLength = length });
                var answers = scorer.Score(Requests);
                for (int i = 0; i < Requests.Length; i++)
                {
                    var (context, continuation) = scorer.Encoder.Encode(Requests[i]);
                    var expected = Forwarded.Score(decoder, context, continuation, scorer.MaxLength);
                    answers[i].Sum.ShouldBe(expected.Sum, 1e-9 * Math.Max(1, Math.Abs(expected.Sum)), $"{path} {Requests[i]}");
                    answers[i].IsGreedy.ShouldBe(expected.IsGreedy);
                }

                scorer.Counts.TruncatedContexts.ShouldBe(length is null ? 0 : Requests.Distinct().Count(request =>
                    scorer.Encoder.Encode(request) is var (context, continuation) && context.Length + continuation.Length > length + 1));
            }
        }
    }

    [Fact]
    public void Score_RowLongerThanThePositions_IsFineWhereEverySequenceFits()
    {
        using var decoder = TinyFamilies.Create("gpt2");
        var tokenizer = new WordTokenizer(TinyFamilies.Vocabulary);
        var scorer = new ModelScorer(decoder, tokenizer);
        LogLikelihoodRequest[] requests =
        [
            .. Enumerable
                .Range(0, 8)
                .Select(i => new LogLikelihoodRequest(Long, $" {(char)('a' + i)} went home and slept until the sun rose again")),
        ];
        var answers = scorer.Score(requests);
        scorer.Counts.ModelTokens.ShouldBeGreaterThan(decoder.Config.MaxPositions);
        scorer.Counts.TruncatedContexts.ShouldBe(0);
        foreach (var (request, answer) in requests.Zip(answers))
        {
            var (context, continuation) = scorer.Encoder.Encode(request);
            answer.Sum.ShouldBe(Forwarded.Score(decoder, context, continuation, decoder.Config.MaxPositions).Sum, 1e-9);
        }
    }

    [Fact]
    public void Score_SharedContext_GoesThroughTheModelOnce()
    {
        using var decoder = TinyFamilies.Create("llama");
        var tokenizer = new WordTokenizer(TinyFamilies.Vocabulary);
        var scorer = new ModelScorer(decoder, tokenizer);
        int done = 0;
        scorer.Score(
            [new(Long, " a b c"), new(Long, " d e"), new(Long, " f"), new(Long, " a b c"), new(Long + " ", "f")],
            new Direct(value => done = value));
        done.ShouldBe(5);
        int context = tokenizer.Encode(Long).Length;
        scorer.Counts.ShouldBe(new ScoringCounts(5, 3, 0, (4 * context) + 2 + 1, context + 2 + 1, context + 2 + 1, 6));
    }

    /// <summary>A model that rotates every position otherwise in sequences of more than 16 tokens.</summary>
    [Fact]
    public void Score_AcrossTheLengthFromWhichRopeIsStretched_IsThatOfEachSequenceByItself()
    {
        using var decoder = TinyFamilies.Create("phi3");
        decoder.Config.Layers[0].Rope!.Limit.ShouldBe(16);
        TokenRequest[] requests =
        [
            .. from context in (int[])[9, 12, 16, 18]
               from continuation in (int[])[1, 2, 5, 6, 9, 12]
               select new TokenRequest(TinyFamilies.Tokens(context, seed: 1), TinyFamilies.Tokens(continuation, seed: continuation + 2)),
        ];
        var scorer = new ModelScorer(decoder, new WordTokenizer(TinyFamilies.Vocabulary));
        var answers = scorer.Score(requests, null, null, CancellationToken.None);
        foreach (var (request, answer) in requests.Zip(answers))
        {
            double[][] logits = Reference.Logits(decoder, [.. request.Context, .. request.Continuation[..^1]]);
            double expected = logits[(request.Context.Length - 1)..]
                .Zip(request.Continuation, (row, token) => row[token] - Math.Log(row.Sum(Math.Exp))).Sum();
            answer.Sum.ShouldBe(expected, 1e-10, $"{request.Context.Length} + {request.Continuation.Length}");
        }
    }

    /// <summary>Batches hold rows of about one length: another batch costs less than a fifth of it in padding.</summary>
    [Fact]
    public void Score_RequestsOfAllLengths_GoesWithLittlePadding()
    {
        using var decoder = TinyFamilies.Create("llama");
        var scorer = new ModelScorer(decoder, new WordTokenizer(TinyFamilies.Vocabulary));
        var random = new Random(4);
        int[] Draw(int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(TinyFamilies.Vocabulary))];
        TokenRequest[] requests = [.. Enumerable.Range(0, 600).Select(i => new TokenRequest(Draw(1 + (i % 24)), Draw(1 + (i % 5))))];
        scorer.Score(requests, null, null, CancellationToken.None);
        scorer.Counts.ModelTokens.ShouldBeGreaterThan(5000);
        scorer.Counts.PaddedTokens.ShouldBeLessThan((long)(1.05 * scorer.Counts.ModelTokens));
    }

    [Fact]
    public void Score_GreedyContinuation_IsToldApart()
    {
        using var decoder = TinyFamilies.Create("llama");
        int[] context = TinyFamilies.Tokens(9);
        var greedy = new List<int>();
        for (int i = 0; i < 4; i++)
        {
            double[] logits = Reference.Logits(decoder, [.. context, .. greedy])[^1];
            greedy.Add(Array.IndexOf(logits, logits.Max()));
        }

        int[] other = [.. greedy];
        other[2] = (other[2] + 1) % TinyFamilies.Vocabulary;
        var scorer = new ModelScorer(decoder, new WordTokenizer());
        var answers = scorer.Score(
            [new TokenRequest(context, [.. greedy]), new TokenRequest(context, other), new TokenRequest(context, [greedy[0]])], null, null,
            CancellationToken.None);
        answers.Select(answer => answer.IsGreedy).ShouldBe([true, false, true]);
    }

    [Fact]
    public void Score_BadRequests_NameThem()
    {
        using var decoder = TinyFamilies.Create("llama");
        var tokenizer = new WordTokenizer(TinyFamilies.Vocabulary);
        var scorer = new ModelScorer(decoder, tokenizer);
        Should
            .Throw<WiscaException>(() => scorer.Score([new(Long, " fine"), new("One day", "")]))
            .Message.ShouldBe("the continuation '' of the context 'One day' has no tokens, expected at least one");
        string endless = string.Concat(Enumerable.Repeat(" on", 33));
        Should
            .Throw<WiscaException>(() => scorer.Score([new("One day", endless)]))
            .Message.ShouldContain("has 33 tokens, but the model has 32 positions");
        scorer.Score([new("One day", endless[..^3])]).Length.ShouldBe(1);
        scorer.Counts.TruncatedContexts.ShouldBe(1);
        Should
            .Throw<WiscaException>(() => new ModelScorer(decoder, tokenizer, new ScoringOptions { MaxLength = 33 }))
            .Message.ShouldContain("made for 32 positions");
        var foreign = new ModelScorer(decoder, new WordTokenizer(vocabulary: 1000));
        Should
            .Throw<WiscaException>(() => foreign.Score([new("a b c d e f g h i j k l m n o p q", " r")]))
            .Message.ShouldContain("not below the model's vocabulary of 19");
        Should.Throw<OperationCanceledException>(() => scorer.Score(Requests, null, new CancellationToken(canceled: true)));
        scorer.Score([]).ShouldBeEmpty();
    }

    [Fact]
    public void Score_AgainAndAgain_LeavesNoTensorBehind()
    {
        using var decoder = TinyFamilies.Create("mistral");
        var scorer = new ModelScorer(decoder, new WordTokenizer(TinyFamilies.Vocabulary));
        scorer.Score(Requests);
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        scorer.Score(Requests);
        DisposeScopeManager.Statistics.ThreadTotalLiveCount.ShouldBe(before);
    }

    [Fact]
    public void Score_RealRequests_AgreesWithPlainLoopsForAnyBatchSizeAndOrder()
    {
        const int length = 48;
        using var checkpoint = Checkpoint.Open(TestData.Require("models", "TinyStories-656K"));
        using var decoder = Decoder.Load(checkpoint);
        var tokenizer = TokenizerLoader.Load(checkpoint.Folder);
        var requests = RealRequests();
        requests.Count.ShouldBe(200);
        var scorer = new ModelScorer(decoder, tokenizer, new ScoringOptions { MaxLength = length });
        var answers = scorer.Score(requests);
        scorer.Counts.TruncatedContexts.ShouldBeGreaterThan(5);
        scorer.Counts.ModelTokens.ShouldBeLessThan(scorer.Counts.RequestTokens * 3 / 4);

        var plain = new PlainLlama(checkpoint);
        var expected = new LogLikelihood[requests.Count];
        Parallel.For(0, expected.Length, i =>
        {
            var (context, continuation) = scorer.Encoder.Encode(requests[i]);
            expected[i] = Forwarded.Score(plain.Logits, context, continuation, length);
        });
        double largest = plain.Logits([1, .. tokenizer.Encode(Long)]).Max(row => row.Max(Math.Abs));
        double Allowed(LogLikelihoodRequest request) =>
            scorer.Encoder.Encode(request).Continuation.Length * PassRounding.OfLikelihood(decoder.Config, length, largest);
        for (int i = 0; i < expected.Length; i++)
        {
            answers[i].Sum.ShouldBe(expected[i].Sum, Allowed(requests[i]), $"{requests[i]}");
            answers[i].IsGreedy.ShouldBe(expected[i].IsGreedy);
        }

        var random = new Random(1);
        foreach (
            var options in (ScoringOptions[])
                [
                    new() { MaxLength = length, BatchSize = 1 }, new() { MaxLength = length, BatchSize = 7 },
                    new() { MaxLength = length, BatchTokens = 300 },
                ])
        {
            var others = new ModelScorer(decoder, tokenizer, options).Score(requests);
            // Products of other shapes add in another order.
            for (int i = 0; i < others.Length; i++) others[i].Sum.ShouldBe(answers[i].Sum, Allowed(requests[i]), $"{requests[i]}");
        }

        int[] order = [.. Enumerable.Range(0, requests.Count)];
        random.Shuffle(order);
        var shuffled = new ModelScorer(decoder, tokenizer, new ScoringOptions { MaxLength = length }).Score([
            .. order.Select(i => requests[i]),
        ]);
        order.Select((place, i) => (answers[place], shuffled[i])).ShouldAllBe(pair => pair.Item1 == pair.Item2);
    }

    [Fact]
    public void Score_ModelRescaledByPowersOfTwo_IsTheSameToTheLastBit()
    {
        using var folder = new TemporaryFolder();
        using var checkpoint = Checkpoint.Open(TestData.Require("models", "TinyStories-656K"));
        var options = new RescaleOptions { QueryKey = Granularity.Pair, ValueOutput = Granularity.Channel };
        Rescaler.Rescale(checkpoint, folder["pow2"], options with { Balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo) });
        Rescaler.Rescale(checkpoint, folder["exact"], options with { Balance = new BalanceOptions(Rounding: FactorRounding.None) });
        var requests = RealRequests();
        var tokenizer = TokenizerLoader.Load(checkpoint.Folder);
        var original = Answers(checkpoint);
        using Checkpoint pow2 = Checkpoint.Open(folder["pow2"]), exact = Checkpoint.Open(folder["exact"]);
        Answers(pow2).ShouldBe(original);
        var rounded = Answers(exact);
        rounded.ShouldNotBe(original);
        using (var decoder = Decoder.Load(checkpoint))
        {
            var scorer = new ModelScorer(decoder, tokenizer, new ScoringOptions { MaxLength = 100 });
            double largest = Reference.Logits(decoder, [1, .. tokenizer.Encode(Long)]).Max(row => row.Max(Math.Abs)),
                allowed = PassRounding.OfLikelihood(decoder.Config, 100, largest);
            for (int i = 0; i < rounded.Length; i++)
                rounded[i].Sum.ShouldBe(original[i].Sum, scorer.Encoder.Encode(requests[i]).Continuation.Length * allowed);
        }

        LogLikelihood[] Answers(Checkpoint model)
        {
            using var decoder = Decoder.Load(model);
            return new ModelScorer(decoder, tokenizer, new ScoringOptions { MaxLength = 100 }).Score(requests);
        }
    }

    /// <summary>200 requests from real data: several choices behind a question,
    /// sentences from their beginning, last words, and a few that are too long.</summary>
    private static List<LogLikelihoodRequest> RealRequests()
    {
        var requests = new List<LogLikelihoodRequest>();
        foreach (
            var item in Items("eval", "raw", "arc", "ARC-Easy-Test.jsonl")
                .Where(item => item.GetProperty("question").GetProperty("stem").GetString()!.Length < 40)
                .Take(25))
        {
            var question = item.GetProperty("question");
            foreach (var choice in question.GetProperty("choices").EnumerateArray())
                requests.Add(
                    new($"Question: {question.GetProperty("stem").GetString()}\nAnswer:", " " + choice.GetProperty("text").GetString()));
        }

        foreach (var item in Items("eval", "blimp", "passive_1.jsonl").Take(30))
            requests.AddRange([
                new("", item.GetProperty("sentence_good").GetString()!),
                new("", item.GetProperty("sentence_bad").GetString()!),
            ]);
        foreach (var item in Items("eval", "llm-foundry", "boolq.jsonl").Take(4))
            requests.AddRange([new(item.GetProperty("query").GetString()!, " no"), new(item.GetProperty("query").GetString()!, " yes")]);
        foreach (var item in Items("eval", "llm-foundry", "copa.jsonl").Take(20))
        {
            foreach (var choice in item.GetProperty("choices").EnumerateArray())
                requests.Add(new(item.GetProperty("query").GetString()!, " " + choice.GetString()));
        }

        return [.. requests.Take(200)];

        static IEnumerable<JsonElement> Items(params string[] path) =>
            File.ReadLines(TestData.Require(path)).Select(line => JsonDocument.Parse(line).RootElement);
    }

    private sealed class Direct(Action<int> report) : IProgress<int>
    {
        public void Report(int value) => report(value);
    }
}
