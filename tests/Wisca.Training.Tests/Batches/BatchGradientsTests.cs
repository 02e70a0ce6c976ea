using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch;
using Wisca.Torch.Models;
using Wisca.Training.Batches;
using static TorchSharp.torch;

namespace Wisca.Training.Tests.Batches;

[Collection(TorchCollection.Name)]
public sealed class BatchGradientsTests
{
    private const int Sequences = 4, Length = 12;

    [Theory]
    [InlineData("llama")]
    [InlineData("gpt2")]
    [InlineData("gemma3_text")]
    public void Add_BatchesOfDifferentNumbersOfTargets_EqualsOneBatch(string modelType)
    {
        using var model = TinyFamilies.Create(modelType);
        var whole = Batch();
        TrainingBatch[] parts = [.. Enumerable.Range(0, Sequences).Select(index => Sequence(whole, index))];
        parts.Select(part => part.RealTargets).ShouldBe([12, 3, 0, 7]);
        var (expectedLoss, expected) = Gradients(model, whole);
        var (loss, gradients) = Gradients(model, parts);
        loss.ShouldBe(expectedLoss, 1e-13);
        Largest(gradients, expected).ShouldBeLessThan(1e-12);
        expected.Values.Max(values => values.Max(Math.Abs)).ShouldBeGreaterThan(1e-3);

        // What a mean of the batches' means would give: other gradients.
        var (_, means) = Gradients(
            model,
            [
                .. parts
                    .Where(part => part.RealTargets > 0)
                    .Select(part =>
                        part with
                        {
                            Targets = [.. part.Targets.Select((target, index) => target >= 0 ? target : part.Ids[index])],
                        }),
            ]);
        Largest(means, expected).ShouldBeGreaterThan(1e-4);
    }

    [Fact]
    public void Add_Mixture_WeightsTheBalanceOfEachBatchByItsTargets()
    {
        using var model = TinyFamilies.Create("mixtral");
        var whole = Batch();
        double expected = 0;
        for (int index = 0; index < Sequences; index++)
        {
            using var scope = NewDisposeScope();
            var loss = BatchGradients.Loss(model, Sequence(whole, index));
            expected += loss.Targets * loss.Auxiliary!.AsDouble();
        }

        var (_, auxiliary) = BatchGradients.Add(model, [.. Enumerable.Range(0, Sequences).Select(index => Sequence(whole, index))]);
        auxiliary.ShouldBe(expected / whole.RealTargets, 1e-13);
        auxiliary.ShouldBeGreaterThan(0);
    }

    [Fact]
    public void Run_FourBatchesOfOneSequence_TrainsAsOneBatchOfFour()
    {
        using TemporaryFolder one = new(), four = new();
        var recorded = TinyRun.Train(TinyRun.Config(one) with { BatchSize = 4 });
        var accumulated = TinyRun.Train(TinyRun.Config(four) with { BatchSize = 1, Accumulation = 4 });
        foreach (var (whole, parts) in recorded.Steps.Zip(accumulated.Steps))
        {
            // 500 roundings a pass, and six steps. AdamW divides a gradient by its own size: where it is almost zero its roundings become
            // a step, which the norm of the next gradients shows by far more than its own roundings. Another weight would be a quarter.
            parts.Loss.ShouldBe(whole.Loss, Rounding.Of(Rounding.Float32, 6 * 500) * whole.Loss);
            parts.GradientNorm.ShouldBe(whole.GradientNorm, 1e-3 * whole.GradientNorm);
            parts.TokensSeen.ShouldBe(whole.TokensSeen);
        }

        recorded.Steps.Count.ShouldBe(6);
    }

    private static TrainingBatch Batch()
    {
        long[] ids = [.. TinyFamilies.Tokens(Sequences * (Length + 1)).Select(id => (long)id)];
        long[] inputs = [.. ids.Chunk(Length + 1).SelectMany(sequence => sequence[..^1])],
            targets = [.. ids.Chunk(Length + 1).SelectMany(sequence => sequence[1..])];
        foreach (var (sequence, counting) in ((int, int)[])[(1, 3), (2, 0), (3, 7)])
            targets.AsSpan((sequence * Length) + counting, Length - counting).Fill(Decoder.IgnoredTarget);
        return new TrainingBatch(inputs, targets, Sequences);
    }

    private static TrainingBatch Sequence(TrainingBatch batch, int index) =>
        new(batch.Ids[(index * Length)..((index + 1) * Length)], batch.Targets[(index * Length)..((index + 1) * Length)], 1);

    private static (double Loss, Dictionary<string, double[]> Gradients) Gradients(
        Decoder model,
        params IReadOnlyList<TrainingBatch> batches)
    {
        foreach (var parameter in model.parameters()) parameter.grad = null;
        var (loss, _) = BatchGradients.Add(model, batches);
        using var scope = NewDisposeScope();
        return (
            loss,
            model
                .named_parameters()
                .Where(entry => entry.parameter.grad is not null)
                .ToDictionary(entry => entry.name, entry => entry.parameter.grad!.contiguous().data<double>().ToArray()));
    }

    private static double Largest(Dictionary<string, double[]> a, Dictionary<string, double[]> b)
    {
        a.Keys.ShouldBe(b.Keys);
        return a.Max(entry => entry.Value.Zip(b[entry.Key], (x, y) => Math.Abs(x - y)).Max());
    }
}
