using TorchSharp;
using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Data.Corpora;
using Wisca.Rescaling;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch;
using Wisca.Torch.Models;
using Wisca.Torch.Proofs;
using Wisca.Transitions;

namespace Wisca.Training.Tests;

[Collection(TorchCollection.Name)]
public sealed class TrainedModelTests
{
    [Theory]
    [InlineData("llama")]
    [InlineData("qwen2_moe")]
    public void Checkpoint_OfARun_IsAModelWithThePerplexityOfTheRun(string modelType)
    {
        using var folder = new TemporaryFolder();
        var config = TinyRun.Config(folder, modelType) with
        {
            Steps = 12,
            Optimizer = new() { LearningRate = 1e-2 },
            Wisca = new() { Every = 5, Round = FactorRounding.None },
        };
        var evaluation = TinyRun.Train(config).Evaluations.Single();
        string trained = TinyRun.Checkpoint(config, 12);
        using var a = Checkpoint.Open(trained);
        Rescaler.Rescale(
            a,
            folder["rescaled"],
            new RescaleOptions
            {
                QueryKey = Granularity.KvHead,
                ValueOutput = Granularity.KvHead,
                Balance = new BalanceOptions(Rounding: FactorRounding.None),
                Threads = 1,
            });
        using var b = Checkpoint.Open(folder["rescaled"]);
        Certifier.Compare(a, b, threads: 1).Equivalent.ShouldBeTrue();
        var proof = ForwardProof.Compare(
            a, b, HeldOut(folder, (int)evaluation.Tokens + 1),
            new ForwardProofOptions { WindowLength = config.Data.SequenceLength, Threads = 1 });
        proof.Reason.ShouldBeNull();
        proof.BitIdentical.ShouldBeFalse();
        proof.Predictions.ShouldBe((int)evaluation.Tokens);

        // Some 500 roundings on the way to a logit of a tiny model; a loss near the logarithm of the vocabulary is as large as the logits.
        double allowed = 2 * Rounding.Of(Rounding.Float32, 500) * evaluation.Loss;
        Math.Log(proof.PerplexityA).ShouldBe(evaluation.Loss, allowed);
        Math.Log(proof.PerplexityB).ShouldBe(evaluation.Loss, allowed);
    }

    /// <summary>Any family: from random weights to a folder that holds what was trained.</summary>
    [Theory]
    [MemberData(nameof(TinyFamilies.ModelTypes), MemberType = typeof(TinyFamilies))]
    public void Train_FromScratch_LearnsAndSavesTheModel(string modelType)
    {
        using var folder = new TemporaryFolder();
        var config = TinyRun.Config(folder, modelType) with { Steps = 8, Optimizer = new() { LearningRate = 1e-2 } };
        var run = TinyRun.Train(config);
        var losses = run.Steps.Select(step => step.Loss).ToList();
        losses[^1].ShouldBeLessThan(losses[0]);
        using var checkpoint = Checkpoint.Open(TinyRun.Checkpoint(config, 8));
        checkpoint.Config.ModelType.ShouldBe(modelType);
        checkpoint.Config.IsNull("pad_token_id").ShouldBeTrue();
        using var decoder = Decoder.Load(checkpoint);
        var evaluation = run.Evaluations.Single();
        int[] tokens = HeldOut(folder, (int)evaluation.Tokens + 1);
        double sum = 0;
        using var ungraded = torch.no_grad();
        for (int begin = 0; begin < tokens.Length - 1; begin += config.Data.SequenceLength)
        {
            using var scope = torch.NewDisposeScope();
            int end = Math.Min(begin + config.Data.SequenceLength, tokens.Length - 1);
            sum += decoder.Loss(Ids(tokens[begin..end]), Ids(tokens[(begin + 1)..(end + 1)])).Sum.AsDouble();
        }

        (sum / evaluation.Tokens).ShouldBe(evaluation.Loss, 2 * Rounding.Of(Rounding.Float32, 500) * evaluation.Loss);

        static torch.Tensor Ids(int[] tokens) => torch.tensor(Array.ConvertAll(tokens, token => (long)token)).unsqueeze(0);
    }

    [Fact]
    public void Evaluation_OfAModelFromElsewhere_IsThatOfPlainLoops()
    {
        string model = TestData.Require("models", "TinyStories-656K");
        using var folder = new TemporaryFolder();
        const string text =
            "Once upon a time there was a little dog. He liked to run and play with his friend, the cat. "
            + "One day they found a big red ball in the park. ";
        File.WriteAllText(folder["text.txt"], text + text.Replace("dog", "girl", StringComparison.Ordinal));
        var tiny = TinyRun.Config(folder);
        var config = tiny with
        {
            Steps = 1,
            Model = new() { From = model },
            Tokenizer = new(),
            Data = tiny.Data with { Train = [folder["text.txt"]], Validation = [folder["text.txt"]], HeldOut = null, SequenceLength = 24 },
            Wisca = new() { Round = FactorRounding.None, Verify = true },
            Evaluation = tiny.Evaluation with { AtStart = true },
        };
        var recorder = TinyRun.Train(config);
        var evaluation = recorder.Evaluations[0];
        evaluation.Step.ShouldBe(0);
        int windows = (int)evaluation.Tokens / 24;
        windows.ShouldBeGreaterThan(1);
        int[] tokens = HeldOut(folder, (int)evaluation.Tokens + 1, "training.tokens");
        using var checkpoint = Checkpoint.Open(model);
        var plain = new PlainLlama(checkpoint);
        evaluation.Loss.ShouldBe(
            Enumerable.Range(0, windows).Average(window => plain.Loss(tokens[(window * 24)..((window * 24) + 25)])),
            PassRounding.OfLikelihood(
                DecoderConfig.From(checkpoint.Config), 24, plain.Logits(tokens[..24]).Max(row => row.Max(Math.Abs))));
        evaluation.Loss.ShouldBeLessThan(5);

        // The transition before the first step is of the model that was given, and the copy that is stored goes on from it.
        recorder.Transitions.Single().Step.ShouldBe(0);
        using var trained = Checkpoint.Open(TinyRun.Checkpoint(config, 1));
        trained.Config.FindInt("vocab_size").ShouldBe(2048);
    }

    private static int[] HeldOut(TemporaryFolder folder, int count, string name = "held-out.tokens")
    {
        using var file = TokenFile.Open(Directory.EnumerateFiles(folder["cache"], name, SearchOption.AllDirectories).First());
        long[] ids = new long[count];
        file.Read(0, ids);
        return Array.ConvertAll(ids, id => (int)id);
    }
}
