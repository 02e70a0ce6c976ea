using TorchSharp;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch;
using Wisca.Torch.Models;
using Wisca.Training.Configuration;
using Wisca.Transitions;

namespace Wisca.Training.Tests;

/// <summary>What the ledger of a checkpoint tells, and a checkpoint that was tampered with.</summary>
[Collection(TorchCollection.Name)]
public sealed class TrainedLedgerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private TrainingConfig Moving =>
        TinyRun.Config(_folder) with
        {
            Steps = 4,
            Checkpoints = new() { Every = 2, Keep = 9 },
            Wisca = new() { Every = 2, Round = FactorRounding.None },
        };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(FactorRounding.None)]
    [InlineData(FactorRounding.PowerOfTwo)]
    public void Undo_TrainedCheckpoint_IsTheSameFunctionAndSaysThatItWasTrained(FactorRounding rounding)
    {
        // Four query heads to a kv head: the first factors are about 1/2.
        var model = TinyRun.Model("llama");
        (model["num_attention_heads"], model["num_key_value_heads"]) = (4, 1);
        var config = Moving with
        {
            Model = new() { Config = new(model) },
            Wisca = new()
            {
                QueryKey = Granularity.KvHead,
                Every = 2,
                Round = rounding,
                Hysteresis = 0,
            },
            Ema = 0.5,
        };
        TinyRun.Train(config);
        using var trained = Checkpoint.Open(TinyRun.Checkpoint(config, 4));
        var move = Ledger.Load(trained.Folder).ShouldNotBeNull().Moves.ShouldHaveSingleItem();
        move.InTraining.ShouldBeTrue();
        var result = Undoer.Undo(trained, _folder["undone"], threads: 1);
        result.BitExactTensors.ShouldBeEmpty();
        result.TrainedTensors.Order().ShouldBe(move.Tensors.Keys.Order());

        // What resuming needs does not belong to the model in another gauge, nor does the average.
        result.SideFiles.LeftOut.Select(entry => entry.Path).ShouldBe(["average/", "training/"]);
        Directory.EnumerateDirectories(_folder["undone"]).ShouldBeEmpty();
        using var undone = Checkpoint.Open(_folder["undone"]);
        var certificate = Certificates.Certifier.Compare(trained, undone, threads: 1);
        certificate.Equivalent.ShouldBeTrue();
        if (rounding == FactorRounding.PowerOfTwo) certificate.QueryKeyError.ShouldBe(0);
        using Decoder a = Decoder.Load(trained), b = Decoder.Load(undone);
        var factors = move
            .Groups.Where(group => group.Transition == TransitionKind.QueryKey && group.Layer == 0)
            .Select(group => group.Factor)
            .ToList();
        const string key = "model.layers.0.self_attn.k_proj.weight";
        using var ratio = a.get_parameter(key)! / b.get_parameter(key)!;
        using var firstHead = ratio.narrow(0, 0, a.Config.Attention.HeadDim);
        firstHead.mean().AsDouble().ShouldBe(1 / factors[0], Rounding.Of(Rounding.Float32, (int)firstHead.numel()) / factors[0]);

        // Of the one kv head: the sum of the absolute values of its queries, and of its keys, in the one gauge and in the other.
        var first = move.Groups.First(group => group is { Transition: TransitionKind.QueryKey, Layer: 0 });
        first.Factor.ShouldNotBe(1);
        (move.Criterion, first.NormsBefore.Count, first.NormsAfter.Count).ShouldBe((Criterion.L1, 2, 2));
        string[] sides = [key.Replace("k_proj", "q_proj", StringComparison.Ordinal), key];
        for (int side = 0; side < 2; side++)
        {
            double before = Sum(b, sides[side]), after = Sum(a, sides[side]);
            first.NormsBefore[side].ShouldBe(before, before * Rounding.Of(Rounding.Float32, 4));
            first.NormsAfter[side].ShouldBe(after, after * 1e-12);
        }

        static double Sum(Decoder model, string weight)
        {
            using var scope = torch.NewDisposeScope();
            return model.get_parameter(weight)!.to(torch.ScalarType.Float64).abs().sum().AsDouble();
        }
    }

    /// <summary>Everything that is exact, in training: one move by the product of all factors, which goes on where a run does.</summary>
    [Fact]
    public void Run_WithAllTransitions_IsOneMoveThatUndoTakesBack()
    {
        var config = Moving with { Wisca = new() { All = true, Every = 1, Round = FactorRounding.PowerOfTwo, Hysteresis = 0 } };
        TinyRun.Train(config with { Steps = 2 });
        TinyRun.Train(config);
        using var trained = Checkpoint.Open(TinyRun.Checkpoint(config, 4));
        var move = Ledger.Load(trained.Folder).ShouldNotBeNull().Moves.ShouldHaveSingleItem();
        move.Groups.Where(group => group.Moves).Select(group => group.Transition).Distinct()
            .ShouldContain(TransitionKind.NormGain);
        Undoer.Undo(trained, _folder["undone"], threads: 1);
        using var undone = Checkpoint.Open(_folder["undone"]);
        var certificate = Certificates.Certifier.Compare(trained, undone, threads: 1);
        certificate.Differences.ShouldBeEmpty();
        certificate.Equivalent.ShouldBeTrue();
        certificate.Scaled.ShouldNotBeEmpty();
    }

    [Fact]
    public void Run_ResumedWithOtherTransitions_KeepsTheMovesBefore()
    {
        TinyRun.Train(Moving with { Steps = 2 });
        TinyRun.Train(Moving with { Wisca = new() { QueryKey = Granularity.KvHead, Every = 2, Round = FactorRounding.None } });
        var moves = Ledger.Load(TinyRun.Checkpoint(Moving, 4)).ShouldNotBeNull().Moves;
        moves.Select(move => move.Groups[0].Granularity).ShouldBe([Granularity.Tensor, Granularity.KvHead]);

        TinyRun.Train(Moving with { Steps = 6, Wisca = new() { Preset = null, QueryKey = null, ValueOutput = null } });
        Ledger.Load(TinyRun.Checkpoint(Moving, 6)).ShouldNotBeNull().Moves.Count.ShouldBe(2);
    }

    [Theory]
    [InlineData("wisca.json", "\"version\": 1", "\"version\": 1, \"moves\": 7, \"x\": 1", "wisca.json")]
    [InlineData(
        "training/state.json", "\"sampler_position\": 4", "\"sampler_position\": 9223372036854775807",
        "expected one from 0 to 9007199254740992")]
    [InlineData("training/state.json", "\"step\": 2", "\"step\": 2000", "has 2000 steps behind it, but steps is 4")]
    [InlineData("training/state.json", "\"step\": 2", "\"step\": 2, \"random_states\": {\"torch\": \"AAAA\"}", "state.json: ")]
    public void Run_CheckpointTamperedWith_IsRefusedInOneLine(string file, string what, string with, string expected)
    {
        TinyRun.Train(Moving with { Steps = 2 });
        string path = Path.Combine(TinyRun.Checkpoint(Moving, 2), file), text = File.ReadAllText(path);
        text.ShouldContain(what);
        File.WriteAllText(path, text.Replace(what, with, StringComparison.Ordinal));
        var exception = Should.Throw<WiscaException>(() => TinyRun.Train(Moving));
        exception.Message.ShouldContain(expected);
        exception.Message.ShouldNotContain('\n');
    }
}
