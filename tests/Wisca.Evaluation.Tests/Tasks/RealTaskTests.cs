using System.Security.Cryptography;
using System.Text;
using Wisca.Checkpoints;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Evaluation.Scoring;
using Wisca.Evaluation.Tasks;
using Wisca.Evaluation.Tasks.Data;
using Wisca.Evaluation.Tasks.Definitions;
using Wisca.Evaluation.Tests.Scoring;
using Wisca.Rescaling;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Transitions;

namespace Wisca.Evaluation.Tests.Tasks;

/// <summary>The tasks on their real data.</summary>
[Collection(TorchCollection.Name)]
public sealed class RealTaskTests
{
    private const string AllTasks =
        "boolq,arc_easy,arc_challenge,piqa,winogrande,openbookqa,copa,lambada_openai,wsc273,"
        + "blimp_passive_1,blimp_causative,blimp_wh_island,blimp_adjunct_island";

    /// <summary>
    /// The hash is of the prompts of the first three documents. It was computed from the data files by a Python script that follows the
    /// harness's definitions, and the prompts were read beside these.
    /// </summary>
    [Theory]
    [InlineData("boolq", 3270, "9cce83f74f9ba4169f85ef0367af4ad0c95064d7026f1813ef69feeb77323067")]
    [InlineData("arc_easy", 2376, "f9c9165624386a55200ddc91161bd7f7f2477d385cb0749d1f0fb159c067fbc9")]
    [InlineData("arc_challenge", 1172, "290f5076075980291f4390523c81d72a1a1d04c28e04ff7d6d3662da6bcc5624")]
    [InlineData("piqa", 1838, "39e45a7f2f5b9dc2bab812fd160672cd0a2e107289831cadeb169d8aa57641ba")]
    [InlineData("winogrande", 1267, "59dd68f92e84b2c3be3d3b9b6305ca4411b6744ccfb61a10979bdf4fef720985")]
    [InlineData("openbookqa", 500, "e01931bfcd1af739a4c9eb8a768e7e5dd16c19730d9892f7b9e977c2dc7cf632")]
    [InlineData("copa", 100, "62f53f0884b728727b2df02b265d02871bc6f53f20e7fd6259d5a02ee749dc3f")]
    [InlineData("lambada_openai", 5153, "be64179d2f9e56774fa5f9ded3a48d42fc5c48704138b912a6bdb520415836a2")]
    [InlineData("wsc273", 273, "782ba8ed69dea8e3c6c01a3a856db5d6e9bd0213603b145ef7c3bd2d8471c462")]
    [InlineData("blimp_adjunct_island", 1000, "d29af48c6a894f89d412af237d4ea235733fb69bb1d035bca77b21523ca1283a")]
    public void Load_RealData_HasTheOfficialCountAndReviewedPrompts(string name, int count, string expected)
    {
        var task = Load(name);
        task.Items.Count.ShouldBe(count);
        var prompts = new StringBuilder();
        foreach (var item in task.Items.Take(3))
        {
            foreach (var request in item.Requests)
                prompts.Append(request.Context).Append('\u0001').Append(request.Continuation).Append('\u0002');
            prompts.Append(item.Gold).Append('\u0003');
        }

        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(prompts.ToString()))).ShouldBe(expected);
    }

    [Fact]
    public void Load_Blimp_Has67000Pairs()
    {
        string data = TestData.Require("eval");
        TaskCatalogue.Load().Groups["blimp"].Tasks.Sum(task => TaskLoader.Load(task, data, new TaskOptions()).Items.Count).ShouldBe(67_000);
    }

    [Fact]
    public void Load_FewshotOfRealData_DrawsFromTraining()
    {
        var task = TaskLoader.Load(
            TaskCatalogue.Load().Tasks["arc_easy"], TestData.Require("eval"), new TaskOptions { Fewshot = 2, Limit = 3 });
        foreach (var item in task.Items) item.Requests[0].Context.Split("\n\n").Length.ShouldBe(3);
        task.Items.Select(item => item.Requests[0].Context.Split("\n\n")[0]).Distinct().Count().ShouldBe(3);
    }

    [Fact]
    public void Score_200RequestsOfAllTasks_AgreeWithPlainLoopsInFloat64()
    {
        // Short windows keep the loops fast; what is longer loses the beginning of its context on both sides.
        const int length = 28, mostLetters = 40;
        using var checkpoint = Checkpoint.Open(TestData.Require("models", "TinyStories-656K"));
        using var decoder = Torch.Models.Decoder.Load(checkpoint);
        var tokenizer = TokenizerLoader.Load(checkpoint.Folder);
        var requests = Requests(200, mostLetters, new RequestEncoder(tokenizer));
        var scorer = new ModelScorer(decoder, tokenizer, new ScoringOptions { MaxLength = length });
        var answers = scorer.Score(requests);
        scorer.Counts.JoinedContinuations.ShouldBe(8);
        var plain = new PlainLlama(checkpoint);
        var expected = new LogLikelihood[requests.Count];
        Parallel.For(0, expected.Length, i =>
        {
            // The tokenizer puts BOS in front of a text; in front of no text it stands alone.
            string context = requests[i].Context.TrimEnd();
            int[] whole =
                context.Length == 0
                    ? [1, .. tokenizer.Encode(requests[i].Continuation, addSpecialTokens: false)]
                    : tokenizer.Encode(requests[i].Context + requests[i].Continuation);
            int given = context.Length == 0 ? 1 : tokenizer.Encode(context).Length;
            int[] first = context.Length == 0 ? [1] : tokenizer.Encode(context);
            if (given >= whole.Length)
            {
                given = first.Zip(whole).TakeWhile(pair => pair.First == pair.Second).Count();
                first = whole[..given];
            }

            expected[i] = Forwarded.Score(plain.Logits, first, whole[given..], length);
        });
        int[] some = [1, .. tokenizer.Encode(requests[0].Continuation, addSpecialTokens: false)];
        double allowed = PassRounding.OfLikelihood(decoder.Config, length, plain.Logits(some).Max(row => row.Max(Math.Abs)));
        for (int i = 0; i < expected.Length; i++)
        {
            int tokens = scorer.Encoder.Encode(requests[i]).Continuation.Length;
            answers[i].Sum.ShouldBe(expected[i].Sum, Math.Max(1, tokens) * allowed, $"request {i}");
        }
    }

    [Fact]
    public void Run_RescaledModel_ScoresTheSameOnEveryTask()
    {
        using var folder = new TemporaryFolder();
        using var checkpoint = Checkpoint.Open(TestData.Require("models", "TinyStories-656K"));
        var options = new RescaleOptions { QueryKey = Granularity.Pair, ValueOutput = Granularity.Channel };
        Rescaler.Rescale(checkpoint, folder["pow2"], options with { Balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo) });
        Rescaler.Rescale(checkpoint, folder["exact"], options with { Balance = new BalanceOptions(Rounding: FactorRounding.None) });
        var tokenizer = TokenizerLoader.Load(checkpoint.Folder);
        var original = Run(checkpoint);
        original.Failed.ShouldBeEmpty();
        using Checkpoint pow2 = Checkpoint.Open(folder["pow2"]), exact = Checkpoint.Open(folder["exact"]);
        Answers(Run(pow2)).ShouldBe(Answers(original));
        var rounded = Run(exact);
        Answers(rounded).ShouldNotBe(Answers(original));
        foreach (var (a, b) in rounded.Tasks.Zip(original.Tasks))
        {
            for (int i = 0; i < a.Metrics.Count; i++)
                a.Metrics[i]
                    .Value.ShouldBe(
                        b.Metrics[i].Value, b.Metrics[i].Metric == TaskMetric.Perplexity ? b.Metrics[i].Value * 1e-4 : 1e-12,
                        $"{a.Definition.Task}");
        }

        TaskRun Run(Checkpoint model)
        {
            using var decoder = Torch.Models.Decoder.Load(model);
            var scorer = new ModelScorer(decoder, tokenizer, new ScoringOptions { MaxLength = 128 });
            return new TaskRunner(scorer, TestData.Require("eval"), new TaskOptions { Limit = 2, BootstrapIterations = 0 }).Run(
                TaskCatalogue.Load().Select(AllTasks.Split(',')));
        }

        static LogLikelihood[] Answers(TaskRun run) => [.. run.Tasks.SelectMany(task => task.Scores).SelectMany(score => score.Answers)];
    }

    private static LoadedTask Load(string name) =>
        TaskLoader.Load(TaskCatalogue.Load().Tasks[name], TestData.Require("eval"), new TaskOptions());

    /// <summary>The first requests of every task in turn whose continuation is short,
    /// and some whose continuation is joined with the context.</summary>
    private static List<LogLikelihoodRequest> Requests(int count, int mostLetters, RequestEncoder encoder)
    {
        string[] names = AllTasks.Split(',');
        var queues = names
            .Select(name => new Queue<LogLikelihoodRequest>(
                Load(name).Items.Take(40).SelectMany(item => item.Requests).Where(request => request.Continuation.Length <= mostLetters)))
            .ToList();
        List<LogLikelihoodRequest> requests =
        [
            .. Load("openbookqa")
                .Items.SelectMany(item => item.Requests)
                .Where(request => encoder.Encode(request).Continuation.Length == 0)
                .Take(8),
        ];
        for (int turn = 0; requests.Count < count; turn++)
        {
            if (queues[turn % queues.Count].TryDequeue(out var request)) requests.Add(request);
        }

        return requests;
    }
}
