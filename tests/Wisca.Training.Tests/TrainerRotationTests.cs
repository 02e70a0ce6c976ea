using System.Text.Json.Nodes;
using TorchSharp;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Rotations;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using Wisca.Torch.Transitions;
using Wisca.Training.Configuration;
using Wisca.Transitions;

namespace Wisca.Training.Tests;

[Collection(TorchCollection.Name)]
public sealed class TrainerRotationTests
{
    [Theory]
    [InlineData("llama")]
    [InlineData("mistral")]
    [InlineData("qwen2")]
    [InlineData("qwen3")]
    [InlineData("mixtral")]
    [InlineData("qwen2_moe")]
    [InlineData("gpt2")]
    [InlineData("gpt_neox")]
    public void Run_VerifiedRotations_KeepTheLossAndAreLogged(string modelType)
    {
        using var folder = new TemporaryFolder();
        var config = TinyRun.Config(folder, modelType) with
        {
            Steps = 5,
            Ema = 0.5,
            Optimizer = new() { LearningRate = 1e-2 },
            Wisca = new()
            {
                QueryKey = null,
                ValueOutput = null,
                Verify = true,
                Rotate = new() { Stream = RotationSource.Momentum, Values = ValueRotation.Same, Start = 2, Every = 2 },
            },
        };
        var recorder = TinyRun.Train(config);
        recorder.Rotations.Select(rotation => rotation.Step).ShouldBe([2, 4]);
        recorder.Transitions.ShouldBeEmpty();
        foreach (var rotation in recorder.Rotations)
        {
            var (before, after) = rotation.Loss.ShouldNotBeNull();
            Math.Abs(after - before).ShouldBeLessThan(3e-6 * before);
            rotation.Spaces.ShouldAllBe(space => space.Skipped == null);
            var (angle, diagonal) = rotation.Mean(RotationKind.Stream).ShouldNotBeNull();
            angle.ShouldBeGreaterThan(1);
            diagonal!.Value.After.ShouldBeGreaterThan(diagonal.Value.Before);
        }

        bool tied = modelType is "llama" or "gpt2";
        recorder
            .Notices.Count(notice => notice.EndsWith(
                "is not trained: the output projection is tied to the embedding, so it must stay the same for all channels",
                StringComparison.Ordinal))
            .ShouldBe(tied ? 1 : 0);
        var logged = File.ReadAllLines(Path.Combine(config.Output, "metrics.jsonl"))
            .Select(line => JsonNode.Parse(line)!)
            .Where(line => line["rotation/stream/angle"] is not null)
            .ToList();
        logged.Count.ShouldBe(2);
        foreach (var (line, rotation) in logged.Zip(recorder.Rotations))
        {
            var (angle, diagonal) = rotation.Mean(RotationKind.ValueOutput)!.Value;
            ((long)line["step"]!).ShouldBe(rotation.Step);
            ((double)line["rotation/vo/angle"]!).ShouldBe(angle);
            ((double)line["rotation/vo/diagonal_after"]!).ShouldBe(diagonal!.Value.After);
            ((double)line["rotation/loss_after"]!).ShouldBe(rotation.Loss!.Value.After);
            ((double)line["time/rotation_seconds"]!).ShouldBeGreaterThan(0);
        }
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("mistral")]
    [InlineData("gpt2")]
    [InlineData("gpt_neox")]
    public void Undo_TrainedCheckpoint_IsTheSameFunctionInTheFirstBasis(string modelType)
    {
        using var folder = new TemporaryFolder();
        var config = TinyRun.Config(folder, modelType) with
        {
            Steps = 9,
            Optimizer = new() { LearningRate = 1e-2 },
            Wisca = new()
            {
                Every = 4,
                Round = FactorRounding.None,
                Rotate = new() { Stream = RotationSource.Random, Values = ValueRotation.Same, Start = 3, Every = 3 },
            },
        };
        TinyRun.Train(config);
        using var trained = Checkpoint.Open(TinyRun.Checkpoint(config, 9));
        var moves = Ledger.Load(trained.Folder).ShouldNotBeNull().Moves;
        moves.Count.ShouldBe(2);
        moves.ShouldAllBe(move => move.InTraining);
        Undoer.Undo(trained, folder["undone"], threads: 1).Moves.ShouldBe(2);
        using var undone = Checkpoint.Open(folder["undone"]);
        using var scope = torch.NewDisposeScope();
        using var ungraded = torch.no_grad();
        Difference(trained, undone).ShouldBeLessThan(2e-5);
        using Decoder a = Decoder.Load(trained), b = Decoder.Load(undone);

        // Another basis, by far: a third of a turn of everything is not a matter of rounding.
        string embedding = trained.Tensors.First(tensor => tensor.Info.Shape.Length == 2).Info.Name;
        var change = a.get_parameter(embedding)! - b.get_parameter(embedding)!;
        (change.norm() / a.get_parameter(embedding)!.norm()).item<float>().ShouldBeGreaterThan(0.3f);
    }

    /// <summary>A rotated model that another run goes on from, stops before it rotates anything, and is resumed: two moves in the end,
    /// though the model that it came from is gone by then.</summary>
    [Fact]
    public void Undo_TrainedFromARotatedModelAndResumed_LeadsBackOverBothRuns()
    {
        using TemporaryFolder first = new(), second = new();
        var config = Rotating(TinyRun.Config(first, "mistral"), start: 2) with { Steps = 3 };
        TinyRun.Train(config);
        string rotated = TinyRun.Checkpoint(config, 3);
        using var stop = new CancellationTokenSource();
        var later = Rotating(TinyRun.Config(second, "mistral"), start: 4) with { Steps = 5, Model = new() { From = rotated } };
        TinyRun.Train(
            later,
            new TrainingRecorder
            {
                OnTrained = report =>
                {
                    if (report.Step == 2) stop.Cancel();
                },
            }, stop: stop.Token);
        Ledger.Load(TinyRun.Checkpoint(later, 2)).ShouldNotBeNull().Moves.Count.ShouldBe(1);
        Directory.Move(rotated, first["gone"]);
        TinyRun.Train(later);
        using var trained = Checkpoint.Open(TinyRun.Checkpoint(later, 5));
        Ledger.Load(trained.Folder).ShouldNotBeNull().Moves.Count.ShouldBe(2);
        Undoer.Undo(trained, second["undone"], threads: 1).Moves.ShouldBe(2);
        using var undone = Checkpoint.Open(second["undone"]);
        Difference(trained, undone).ShouldBeLessThan(2e-5);

        static TrainingConfig Rotating(TrainingConfig config, int start) => config with
        {
            Optimizer = new() { LearningRate = 1e-2 },
            Wisca = new()
            {
                QueryKey = null,
                ValueOutput = null,
                Rotate = new() { Stream = RotationSource.Random, Start = start, Every = 9 },
            },
        };
    }

    /// <summary>The largest difference of logits of two models on a few tokens, relative to the largest logit.</summary>
    private static double Difference(Checkpoint left, Checkpoint right)
    {
        using var scope = torch.NewDisposeScope();
        using var ungraded = torch.no_grad();
        using Decoder a = Decoder.Load(left), b = Decoder.Load(right);
        var ids = torch.arange(12, torch.int64).reshape(1, 12);
        torch.Tensor x = a.call(ids), y = b.call(ids);
        return (x - y).abs().max().to(torch.ScalarType.Float64).item<double>() / x.abs().max().to(torch.ScalarType.Float64).item<double>();
    }

    /// <summary>Weights, optimizer state, averages, rotations so far: all files of the last checkpoint, to the byte.</summary>
    [Theory]
    [InlineData(RotationSource.Momentum, GainPolicy.Follow, SecondMomentPolicy.Keep)]
    [InlineData(RotationSource.Gradient, GainPolicy.Fold, SecondMomentPolicy.Mix)]
    [InlineData(RotationSource.Random, GainPolicy.Follow, SecondMomentPolicy.Reset)]
    public void Run_FortySteps_AreTwentyAndTwentyMoreToTheBit(RotationSource source, GainPolicy gains, SecondMomentPolicy state)
    {
        using TemporaryFolder folder = new(), other = new();
        var straight = Busy(folder);
        var recorder = TinyRun.Train(straight);
        recorder.Rotations.Select(rotation => rotation.Step).ShouldBe([7, 14, 21, 28, 35]);

        using var stop = new CancellationTokenSource();
        var parted = Busy(other);
        TinyRun.Train(
            parted,
            new TrainingRecorder
            {
                OnTrained = report =>
                {
                    if (report.Step == 20) stop.Cancel();
                },
            }, stop: stop.Token);
        var resumed = TinyRun.Train(Busy(other));
        resumed.Notices.ShouldBeEmpty();
        resumed.Rotations.Select(rotation => rotation.Step).ShouldBe([21, 28, 35]);
        string[] contents = TinyRun.Contents(TinyRun.Checkpoint(straight, 40));
        contents.ShouldContain(file => file.Contains("rotations.safetensors", StringComparison.Ordinal));
        TinyRun.Contents(TinyRun.Checkpoint(parted, 40)).ShouldBe(contents);

        TrainingConfig Busy(TemporaryFolder folder) => TinyRun.Config(folder, "mistral") with
        {
            Steps = 40,
            Ema = 0.9,
            Optimizer = new() { LearningRate = 1e-2 },
            Wisca = new()
            {
                Every = 5,
                Round = FactorRounding.None,
                Rotate = new()
                {
                    Stream = source,
                    Values = ValueRotation.Same,
                    Start = 7,
                    Every = 7,
                    Gains = gains,
                    State = state,
                },
            },
            Logging = new() { Every = 20, Tensorboard = false },
        };
    }

    [Fact]
    public void Prepare_ModelThatCannotBeRotated_SaysWhy()
    {
        using var folder = new TemporaryFolder();
        var config = TinyRun.Config(folder, "gemma3_text");
        config = config with { Wisca = config.Wisca with { Rotate = new() { Stream = RotationSource.Momentum } } };
        string reason = "rotate stream: not exact in this model: in gemma3_text norms write into the residual stream";
        Should
            .Throw<WiscaException>(() => Trainer.Prepare(config, ResumeMode.Never, new TrainingRecorder(), CancellationToken.None))
            .Message.ShouldStartWith(reason);
        Should.Throw<WiscaException>(() => TrainingCheck.Of(config)).Message.ShouldStartWith(reason);
    }

    [Theory]
    [InlineData(
        "wisca: { preset: origin, rotate: { values: same } }",
        "wisca.rotate.values: the same as none, expected a stream that says what decides the basis")]
    [InlineData(
        "wisca: { preset: origin, rotate: { stream: gradient, start: 30, until: 20 } }",
        "wisca.rotate.until: step 20, expected at least 30, where rotations start")]
    [InlineData(
        "wisca: { qk: none, vo: channel, rotate: { stream: gradient, values: same } }",
        "wisca.vo: channel although values are rotated, expected tensor or kv-head: factors of single channels do not outlast a rotation")]
    [InlineData(
        "{ optimizer: { name: sgd, momentum: 0 }, wisca: { preset: origin, rotate: { stream: momentum } } }",
        "wisca.rotate.stream: momentum, which this optimizer does not keep; expected gradient, or a momentum above 0")]
    [InlineData(
        "wisca: { preset: origin, rotate: { stream: gradients } }",
        "wisca.rotate.stream: 'gradients', expected one of gradient, momentum")]
    [InlineData(
        "wisca: { preset: origin, rotate: { adapters: gradient } }",
        "wisca.rotate.adapters: rotates the factors of an adapter, and none is trained, expected none; "
        + "wisca.rotate.stream rotates a model that trains")]
    public void Load_ContradictionOrUnknownValue_IsReported(string yaml, string expected)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["c.yaml"], yaml);
        Should.Throw<WiscaException>(() => TrainingConfig.Load(folder["c.yaml"])).Message.ShouldContain(expected);
    }

    [Theory]
    [InlineData(
        "{ save: { for: rescaled }, wisca: { rotate: { stream: momentum } } }",
        "save.for: rescaled although the base is rotated, expected original: that one is not written")]
    [InlineData(
        "{ optimizer: { name: sgd, momentum: 0 }, wisca: { rotate: { stream: gradient, adapters: momentum } } }",
        "wisca.rotate.adapters: momentum, which this optimizer does not keep; expected gradient, or a momentum above 0")]
    [InlineData(
        "{ adapter: { type: none }, wisca: { rotate: { adapters: momentum } } }",
        "wisca.rotate.adapters: rotates the factors of an adapter, and none is trained")]
    [InlineData(
        "{ optimizer: { name: sgd, momentum: 0 }, wisca: { rotate: { adapters: momentum } } }",
        "wisca.rotate.adapters: momentum, which this optimizer does not keep; expected gradient, or a momentum above 0")]
    public void Load_RotationOfWhatDoesNotTrain_IsRefused(string yaml, string expected)
    {
        using var folder = new TemporaryFolder();
        string given = yaml.StartsWith('{') ? yaml[1..^1] : yaml;
        File.WriteAllText(folder["c.yaml"], $"{{ base: {{ model: m }}, data: {{ train: [a] }}, {given} }}");
        Should.Throw<WiscaException>(() => FinetuneConfig.Load(folder["c.yaml"])).Message.ShouldContain(expected);
    }

    [Fact]
    public void Prepare_HadamardOfAStreamThatKeepsTheOnes_SaysWhy()
    {
        using var folder = new TemporaryFolder();
        var config = TinyRun.Config(folder, "gpt2");
        config = config with { Wisca = config.Wisca with { Rotate = new() { Stream = RotationSource.Hadamard } } };
        Should.Throw<WiscaException>(() => TrainingCheck.Of(config)).Message.ShouldBe(
            "a Hadamard rotation does not keep the vector of ones, as norms that take the mean away (LayerNorm) need it");
    }

    [Fact]
    public void Run_Hadamard_KeepsTheLoss()
    {
        using var folder = new TemporaryFolder();
        var config = TinyRun.Config(folder, "mistral") with { Steps = 5 };
        config = config with
        {
            Wisca = config.Wisca with
            {
                Verify = true,
                Rotate = new() { Stream = RotationSource.Hadamard, Values = ValueRotation.Same, Start = 2, Every = 3 },
            },
        };
        var recorder = TinyRun.Train(config);
        recorder.Rotations.Select(rotation => rotation.Step).ShouldBe([2, 5]);
        recorder.Rotations.SelectMany(rotation => rotation.Spaces).ShouldAllBe(space => space.Angle > 30);
        recorder.Rotations[0].Spaces.Length.ShouldBeGreaterThan(1);
    }
}
