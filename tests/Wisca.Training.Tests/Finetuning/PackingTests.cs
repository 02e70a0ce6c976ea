using Wisca.Data.Instructions;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using Wisca.Training.Batches;
using Wisca.Training.Finetuning;
using static TorchSharp.torch;

namespace Wisca.Training.Tests.Finetuning;

/// <summary>Examples that share rows, against each by itself.</summary>
[Collection(TorchCollection.Name)]
public sealed class PackingTests
{
    // RoPE, learned positions, a window in every layer, one in every second, RoPE of a part.
    [Theory]
    [InlineData("llama")]
    [InlineData("gpt2")]
    [InlineData("mistral")]
    [InlineData("gemma3_text")]
    [InlineData("gpt_neox")]
    public void Loss_Packed_EqualsUnpacked(string modelType)
    {
        foreach (
            var (dtype, path, tolerance) in ((ScalarType, AttentionPath, double)[])
                [
                    (ScalarType.Float64, AttentionPath.Fused, 1e-10), (ScalarType.Float64, AttentionPath.Eager, 1e-10),

                    // Some 500 roundings on the way to a logit.
                    (ScalarType.Float32, AttentionPath.Fused, Rounding.Of(Rounding.Float32, 500)),
                ])
        {
            using var model = TinyFamilies.Create(modelType, dtype: dtype);
            model.AttentionPath = path;
            EncodedInstruction[] examples = [.. Enumerable.Range(0, 7).Select(index => Example(index, 5 + (3 * index % 8)))];
            var packed = new InstructionRows(examples, 20, 1);
            packed.RowsPerEpoch.ShouldBeLessThan(5);
            var (loss, gradients) = Gradients(
                model,
                InstructionBatches.Lay([.. Enumerable.Range(0, packed.RowsPerEpoch).Select(row => packed[row])]));
            var (padded, paddedGradients) = Gradients(
                model,
                InstructionBatches.Lay([.. examples.Select(example => (IReadOnlyList<EncodedInstruction>)[example])]));
            double alone =
                examples.Sum(example =>
                    Gradients(
                        model,
                        InstructionBatches.Lay([
                            [example],
                        ])
                    ).Loss * example.Targets
                ) / examples.Sum(example => example.Targets);
            padded.ShouldBe(alone, tolerance * alone);
            loss.ShouldBe(alone, tolerance * alone);
            double largest = paddedGradients.Values.Max(values => values.Max(Math.Abs));
            foreach (var (name, values) in gradients)
                values.Zip(paddedGradients[name], (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(10 * tolerance * largest, name);
        }
    }

    [Fact]
    public void Loss_AnotherExampleBeside_ChangesNothing()
    {
        using var model = TinyFamilies.Create("llama");
        double before = Gradients(model, InstructionBatches.Lay([[Silent(Example(1, 6)), Example(2, 6)]])).Loss;
        Gradients(model, InstructionBatches.Lay([[Silent(Example(3, 6)), Example(2, 6)]])).Loss.ShouldBe(before, 1e-12);
    }

    [Fact]
    public void Loss_OnlyTokensOfAnswers_Contribute()
    {
        // The oracle: log-softmax of the logits by hand, for the targets that count.
        using var model = TinyFamilies.Create("llama");
        var example = Example(4, 9);
        double expected = Oracle(model, example.Ids, example.Counts);
        var batch = InstructionBatches.Lay([[example]]);
        Gradients(model, batch).Loss.ShouldBe(expected, 1e-10);

        // What stands in the labels of the prompt is not even an id; in the answer another label is another loss.
        batch.Targets.Zip(example.Counts.Skip(1)).ShouldAllBe(target => target.First == Decoder.IgnoredTarget != target.Second);
        long[] other = [.. batch.Targets];
        other[^1] = (other[^1] + 1) % TinyFamilies.Vocabulary;
        Math.Abs(Gradients(model, batch with { Targets = other }).Loss - expected).ShouldBeGreaterThan(1e-3);
    }

    private static double Oracle(Decoder model, int[] ids, bool[] counts)
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        long[] inputs = [.. ids[..^1].Select(id => (long)id)];
        double[] logits = model.forward(tensor(inputs, [1, inputs.Length])).contiguous().data<double>().ToArray();
        double sum = 0;
        for (int i = 0; i < inputs.Length; i++)
        {
            double[] row = logits[(i * TinyFamilies.Vocabulary)..((i + 1) * TinyFamilies.Vocabulary)];
            if (counts[i + 1]) sum += Math.Log(row.Sum(Math.Exp)) - row[ids[i + 1]];
        }

        return sum / counts.Count(counting => counting);
    }

    private static EncodedInstruction Example(int seed, int length)
    {
        int[] ids = TinyFamilies.Tokens(length + 1, seed + 20);
        return new EncodedInstruction(ids, [.. ids.Select((_, i) => i > length / 2)]);
    }

    private static EncodedInstruction Silent(EncodedInstruction example) => example with { Counts = new bool[example.Ids.Length] };

    private static (double Loss, Dictionary<string, double[]> Gradients) Gradients(Decoder model, TrainingBatch batch)
    {
        foreach (var parameter in model.parameters()) parameter.grad = null;
        var (loss, _) = BatchGradients.Add(model, [batch]);
        using var scope = NewDisposeScope();
        var gradients = model.named_parameters().ToDictionary(
            entry => entry.name,
            entry => entry.parameter.grad!.to(ScalarType.Float64).flatten().data<double>().ToArray());
        return (loss, gradients);
    }
}
