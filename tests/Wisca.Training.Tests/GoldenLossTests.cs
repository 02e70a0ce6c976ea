using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using Wisca.Training.Batches;
using Wisca.Transitions;

namespace Wisca.Training.Tests;

/// <summary>
/// Twenty steps of every family in float64, with a transition in the middle, held to losses in the repository: what changes them changes
/// what is trained. Where that is wanted, set WISCA_WRITE_GOLDEN=1 and run these tests: they write golden-losses.json anew, and its
/// difference shows what changed.
/// </summary>
[Collection(TorchCollection.Name)]
public sealed class GoldenLossTests
{
    private const string Variable = "WISCA_WRITE_GOLDEN";
    private const int Steps = 20, TransitionAfter = 10, Sequences = 4, Length = 12;

    public static TheoryData<string> Families =>
    [
        "llama", "mistral", "qwen2", "gemma", "gpt2", "gpt_neox", "qwen3", "gemma3_text", "mixtral", "qwen2_moe", "phi3", "gemma2", "olmoe",
        "granite", "smollm3", "starcoder2", "stablelm", "glm4",
    ];

    [Theory]
    [MemberData(nameof(Families))]
    public void Train_TwentySteps_GivesTheGoldenLosses(string modelType)
    {
        double[] losses = Losses(modelType);
        losses.Length.ShouldBe(Steps);
        losses[^1].ShouldBeLessThan(losses[0]);
        if (Environment.GetEnvironmentVariable(Variable) == "1") Write(modelType, losses);
        var golden = Read()[modelType].ShouldNotBeNull($"set {Variable}=1 to write them").Deserialize<double[]>()!;
        foreach (var (loss, expected) in losses.Zip(golden)) loss.ShouldBe(expected, 1e-9 * expected);
        golden.Length.ShouldBe(Steps);
    }

    private static double[] Losses(string modelType)
    {
        using var model = TinyFamilies.Create(modelType);
        var parameters = model.named_parameters().Select(entry => (entry.name, entry.parameter)).ToList();
        using var optimizer = new AdamW(parameters);
        var options = new WiscaOptions
        {
            Transitions = new TransitionOptions
            {
                QueryKey = Granularity.KvHead,
                ValueOutput = Granularity.KvHead,
                Balance = new BalanceOptions(Rounding: FactorRounding.None),
            },
            Trigger = new WiscaTrigger { AtStart = false, Every = 0, Steps = [TransitionAfter] },
        };
        var scheduler = new WiscaScheduler(
            parameters, WiscaScheduler.PlanFor(parameters, model.Config.Source!, options.Transitions), options, optimizer);
        var schedule = new LearningRateSchedule(1e-2, Steps) { WarmupSteps = 4, DecaySteps = Steps - 4 };
        long[] ids = [.. TinyFamilies.Tokens(Sequences * (Length + 1)).Select(id => (long)id)];
        double[] losses = new double[Steps];
        for (int step = 0; step < Steps; step++)
        {
            // Two batches a step, the second of which has positions that do not count.
            optimizer.ZeroGradients();
            var (loss, auxiliary) = BatchGradients.Add(model, [Batch(ids, 0, Length), Batch(ids, Sequences / 2, 5 + (step % 4))]);
            optimizer.ClipGradients(1);
            optimizer.Step(schedule.At(step));
            losses[step] = loss + auxiliary;
            (scheduler.Step(step + 1) is not null).ShouldBe(step + 1 == TransitionAfter);
        }

        return losses;
    }

    private static TrainingBatch Batch(long[] ids, int first, int counting)
    {
        long[][] sequences = [.. ids.Chunk(Length + 1).Skip(first).Take(Sequences / 2)];
        return new TrainingBatch(
            [.. sequences.SelectMany(sequence => sequence[..^1])],
            [
                .. sequences.SelectMany(sequence =>
                    sequence[1..].Select((target, index) => index < counting ? target : Decoder.IgnoredTarget)),
            ],
            Sequences / 2);
    }

    private static JsonObject Read() =>
        JsonNode.Parse(TestRepository.ReadText("tests", "Wisca.Training.Tests", "golden-losses.json"))!.AsObject();

    private static void Write(string modelType, double[] losses)
    {
        string path = TestRepository.PathOf("tests", "Wisca.Training.Tests", "golden-losses.json");
        var all = File.Exists(path) ? Read() : [];
        all[modelType] = JsonSerializer.SerializeToNode(losses);
        string[] lines =
        [
            .. Families
                .Select(row => row.Data)
                .Where(all.ContainsKey)
                .Select(name => $"  \"{name}\": [{string.Join(", ", all[name]!.AsArray().Select(loss => loss!.ToJsonString()))}]"),
        ];
        File.WriteAllText(path, "{\n" + string.Join(",\n", lines) + "\n}\n");
    }
}
