using System.Text.Json.Nodes;
using Wisca.Checkpoints;
using Wisca.Data.Tokenizers.Loading;
using Wisca.Evaluation.Scoring;
using Wisca.Evaluation.Tasks;
using Wisca.Evaluation.Tasks.Data;
using Wisca.Evaluation.Tasks.Definitions;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;

namespace Wisca.Evaluation.Tests.Tasks;

/// <summary>
/// What the Language Model Evaluation Harness 0.4.13 itself computed for a small model in float32: contexts and continuations to the
/// letter, log-likelihoods to 1e-4 a token, greedy decoding, accuracies and standard errors as it prints them.
/// </summary>
[Collection(TorchCollection.Name)]
public sealed class HarnessResultTests
{
    private const int Documents = 100, Length = 512;

    [Theory]
    [InlineData("arc_easy", "arc_easy")]
    [InlineData("arc_easy-2shot", "arc_easy")]
    [InlineData("blimp_anaphor_gender_agreement", "blimp_anaphor_gender_agreement")]
    [InlineData("blimp_causative", "blimp_causative")]
    [InlineData("boolq", "boolq")]
    [InlineData("copa", "copa")]
    [InlineData("lambada_openai", "lambada_openai")]
    [InlineData("openbookqa", "openbookqa")]
    [InlineData("winogrande", "winogrande")]
    public void Run_FirstHundredDocuments_IsWhatTheHarnessComputed(string result, string task)
    {
        var golden = Golden(result + ".json");
        int shots = golden["num_fewshot"]!.GetValue<int>();
        using var folder = new TemporaryFolder();
        using var checkpoint = Checkpoint.Open(TestData.Require("models", "TinyStories-656K"));
        using var decoder = Decoder.Load(checkpoint);
        var tokenizer = TokenizerLoader.LoadAsTransformers(checkpoint.Folder);
        var scorer = new ModelScorer(decoder, tokenizer, new ScoringOptions { MaxLength = Length });
        string data = shots == 0 ? TestData.Require("eval") : WithExamples(folder);
        var options = new TaskOptions { Limit = Documents, Fewshot = shots, BootstrapIterations = 1000, Threads = 1 };
        var outcome = new TaskRunner(scorer, data, options).Run(TaskCatalogue.Load().Select([task])).Tasks.ShouldHaveSingleItem();
        outcome.Failure.ShouldBeNull();

        var samples = golden["samples"]!.AsArray();
        samples.Count.ShouldBe(Documents);
        outcome.Loaded!.Items.Count.ShouldBe(Documents);
        LogLikelihoodRequest[] requests = [.. outcome.Loaded.Items.SelectMany(item => item.Requests)];
        JsonNode[] expected = [.. samples.SelectMany(sample => sample!["requests"]!.AsArray()).Select(request => request!)];
        requests.Select(request => (request.Context, request.Continuation)).ShouldBe(
            expected.Select(request => (request["context"]!.GetValue<string>(), request["continuation"]!.GetValue<string>())));
        var answers = scorer.Score(requests);
        double allowed = Allowed(decoder, scorer.Encoder.Encode(requests[0]).Context);
        int joined = 0;
        for (int i = 0; i < requests.Length; i++)
        {
            // The harness stops where the tokenizer joins the whole continuation with the context; here the joined token is scored.
            var (_, continuation) = scorer.Encoder.Encode(requests[i]);
            if (expected[i]["logprob"] is not { } logprob)
            {
                continuation.ShouldBeEmpty();
                joined++;
                continue;
            }

            continuation.ShouldNotBeEmpty();
            answers[i].Sum.ShouldBe(logprob.GetValue<double>(), allowed * continuation.Length, $"{requests[i]}");
            answers[i].IsGreedy.ShouldBe(expected[i]["greedy"]!.GetValue<bool>(), $"{requests[i]}");
        }

        outcome.Joined.ShouldBe(joined);

        for (int metric = 0; metric < outcome.Metrics.Count; metric++)
        {
            var (kind, value, error) = outcome.Metrics[metric];
            string name = kind.Name();
            for (int i = 0; i < Documents; i++)
            {
                bool whole = samples[i]!["requests"]!.AsArray().All(request => request!["logprob"] is not null);
                if (kind == TaskMetric.Perplexity || !whole) continue;
                outcome.Scores[i].Values[metric].ShouldBe(samples[i]![name]!.GetValue<double>(), $"document {i}, {name}");
            }

            // Where the harness left requests out, its figures are of other choices.
            if (joined > 0) continue;
            var known = golden["results"]![name]!;
            value.ShouldBe(known.GetValue<double>(), 1e-12, name);
            error.ShouldNotBeNull().ShouldBe(golden["results"]![name + "_stderr"]!.GetValue<double>(), 1e-12, name);
        }
    }

    [Fact]
    public void Measure_TwentyStories_IsWhatTheHarnessComputed()
    {
        var golden = Golden("rolling.json");
        string[] texts =
        [
            .. File.ReadLines(TestData.Require("golden", "lm-eval", "docs", "rolling.test.jsonl"))
                .Select(line => JsonNode.Parse(line)!["page"]!.GetValue<string>()),
        ];
        using var checkpoint = Checkpoint.Open(TestData.Require("models", "TinyStories-656K"));
        using var decoder = Decoder.Load(checkpoint);
        var tokenizer = TokenizerLoader.LoadAsTransformers(checkpoint.Folder);
        var perplexity = new Perplexity(new ModelScorer(decoder, tokenizer, new ScoringOptions { MaxLength = Length }));
        var samples = golden["samples"]!.AsArray();
        texts.Length.ShouldBe(samples.Count);
        double allowed = Allowed(decoder, tokenizer.Encode(texts[0]));
        for (int i = 0; i < texts.Length; i++)
        {
            var sums = perplexity.Measure([texts[i]]);
            sums.LogLikelihood.ShouldBe(samples[i]!["logprob"]!.GetValue<double>(), allowed * sums.Tokens, $"document {i}");
            sums.Words.ShouldBe(samples[i]!["word_perplexity"]![1]!.GetValue<long>());
            sums.Bytes.ShouldBe(samples[i]!["bits_per_byte"]![1]!.GetValue<long>());
        }

        // That difference in each token's log-likelihood makes at most this, relative, in a perplexity of words of a few tokens.
        var all = perplexity.Measure(texts);
        double slack = allowed * all.Tokens / all.Words;
        var results = golden["results"]!;
        ShouldBeNear(all.WordPerplexity, "word_perplexity");
        ShouldBeNear(all.BytePerplexity, "byte_perplexity");
        ShouldBeNear(all.BitsPerByte, "bits_per_byte");

        void ShouldBeNear(double value, string name)
        {
            double expected = results[name]!.GetValue<double>();
            value.ShouldBe(expected, slack * expected, name);
        }
    }

    /// <summary>The difference in a token's log-likelihood that is allowed: the harness ran the model in float32, elsewhere.</summary>
    private static double Allowed(Decoder decoder, int[] tokens) =>
        PassRounding.OfLikelihood(
            decoder.Config, Length, Reference.Logits(decoder, [.. tokens.Take(Length)]).Max(row => row.Max(Math.Abs)));

    /// <summary>The harness's training file, in its order, beside the test file in the Hub's fields, which the harness read.</summary>
    private static string WithExamples(TemporaryFolder folder)
    {
        Directory.CreateDirectory(folder["arc_easy"]);
        File.Copy(TestData.Require("golden", "lm-eval", "docs", "arc_easy.train.jsonl"), folder["arc_easy", "train.jsonl"]);
        var lines = File.ReadLines(TestData.Require("eval", "raw", "arc", "ARC-Easy-Test.jsonl")).Take(Documents).Select(line =>
        {
            var document = JsonNode.Parse(line)!;
            var choices = document["question"]!["choices"]!.AsArray();
            return new JsonObject
            {
                ["question"] = document["question"]!["stem"]!.DeepClone(),
                ["choices"] = new JsonObject
                {
                    ["text"] = new JsonArray([.. choices.Select(choice => choice!["text"]!.DeepClone())]),
                    ["label"] = new JsonArray([.. choices.Select(choice => choice!["label"]!.DeepClone())]),
                },
                ["answerKey"] = document["answerKey"]!.DeepClone(),
            }.ToJsonString();
        });
        File.WriteAllLines(folder["arc_easy", "test.jsonl"], lines);
        return folder.FullPath;
    }

    private static JsonObject Golden(string name) =>
        JsonNode.Parse(File.ReadAllText(TestData.Require("golden", "lm-eval", name)))!.AsObject();
}
