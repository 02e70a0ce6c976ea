using CsCheck;
using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Rescaling;

/// <summary>16-bit weights at the ends of their range, where a power of two is not exact any more.</summary>
public sealed class LossyTests
{
    private static readonly RescaleOptions PowersOfTwo = new()
    {
        ValueOutput = null,
        Balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo),
    };

    [Fact]
    public void Rescale_ElementsThatWouldLoseBits_AreRoundedAndKept()
    {
        using var folder = new TemporaryFolder();

        // W_q is halved twice: elements below 2^-12 leave the normal range.
        var model = new SmallLlama { Dtype = "F16", Layers = 1, Deviation = (projection, _) => projection == "q" ? 0.02 : 0.0025 };
        model.Write(folder["m"]);
        var dry = DryRun(folder, "m", PowersOfTwo);
        var result = Rescale(folder, "m", "out", PowersOfTwo);
        var group = result.Move!.Groups.ShouldHaveSingleItem();
        (group.Outcome, group.Factor).ShouldBe((GroupOutcome.Scaled, 0.25));
        string query = SmallLlama.Weight(0, "q");
        var original = TestCheckpoint.Read(folder["m"])[query];
        int lost = CountLost(original, group.Factor);
        lost.ShouldBeGreaterThan(0);
        var kept = result.Move.Lost.ShouldHaveSingleItem();
        (kept.Tensor, kept.Count).ShouldBe((query, lost));
        foreach (var counts in (RescaleResult[])[dry, result])
            (counts.RoundedElements, counts.RoundedTensors, counts.ElementsBesideRounded).ShouldBe((lost, 1, original.Bytes.Length / 2));
        result.LedgerBytesOfRounded.ShouldBe(kept.Packed.Length);

        // Each element is the nearest to a quarter of what it was, counted by another implementation.
        double[] before = ReferenceFloat.Values("F16", original.Bytes);
        ReferenceFloat.Values("F16", TestCheckpoint.Read(folder["out"])[query].Bytes)
            .ShouldBe(before.Select(value => ReferenceFloat.Decode("F16", ReferenceFloat.Encode("F16", value / 4))));
        Undo(folder, "out", "back").RoundedTensors.ShouldBeEmpty();
        Same(folder, "m", "back");

        // The certificate holds in both directions.
        using var model1 = Checkpoint.Open(folder["m"]);
        using var model2 = Checkpoint.Open(folder["out"]);
        foreach (var report in (CertificateReport[])[Certifier.Compare(model1, model2), Certifier.Compare(model2, model1)])
        {
            report.Differences.ShouldBeEmpty();
            (report.Equivalent, report.ExpectedExact).ShouldBe((true, false));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Rescale_WhatWasAskedForIsNotDone_IsRefusedAndWritesNothing(bool byName)
    {
        using var folder = new TemporaryFolder();
        var model = new SmallLlama { Dtype = "F16", Layers = 2, Deviation = (projection, _) => projection == "q" ? 0.02 : 0.0025 };
        model.Write(folder["m"]);
        var options = PowersOfTwo with { Lossless = true, RequireQueryKey = byName };
        foreach (var run in (Action[])[() => Rescale(folder, "m", "out", options), () => DryRun(folder, "m", options)])
        {
            var error = Should.Throw<WiscaException>(run);
            error.Message.ShouldStartWith(byName ? "layer 0: qk is not applied: " : "nothing is balanced: ");
            error.Message.ShouldContain("of model.layers.0.self_attn.q_proj.weight would lose bits in F16 (");
            error.Hint!.ShouldStartWith("leave --lossless out");
            Directory.GetFileSystemEntries(folder.FullPath).ShouldHaveSingleItem();
        }
    }

    [Fact]
    public void Rescale_SomeLeftAloneAndTheOthersBalanced_IsRefusedAndWritesNothing()
    {
        using var folder = new TemporaryFolder();
        var model = new SmallLlama
        {
            Dtype = "F16", Layers = 2, Deviation = (projection, layer) => projection == "q" && layer == 0 ? 0.02 : 0.0025,
        };
        model.Write(folder["m"]);
        var options = PowersOfTwo with { Lossless = true };
        var error = Should.Throw<WiscaException>(() => Rescale(folder, "m", "out", options));
        error.Message.ShouldStartWith("nothing is balanced: ");
        error.Message.ShouldEndWith("1 group is skipped, the others are balanced already)");
        error.Hint!.ShouldStartWith("leave --lossless out");
        Directory.GetFileSystemEntries(folder.FullPath).ShouldHaveSingleItem();
    }

    [Fact]
    public void RescaleLossless_KnownCase_IsRefused()
    {
        using var folder = new TemporaryFolder();
        using var model = Checkpoint.Open(TestData.Require("cases", "f16-default-does-nothing", "model"));
        Should.Throw<WiscaException>(() => Rescaler.Rescale(model, folder["out"], new RescaleOptions { Lossless = true }))
            .Message.ShouldContain("3 groups are skipped");
    }

    [Fact]
    public void Rescale_NothingToDoBecauseItIsBalanced_IsNoFailure()
    {
        using var folder = new TemporaryFolder();
        new SmallLlama { Dtype = "F16", Layers = 1 }.Write(folder["m"]);
        var options = PowersOfTwo with { RequireQueryKey = true };
        Rescale(folder, "m", "out", options);
        Rescale(folder, "out", "again", options).Move!.Groups.ShouldHaveSingleItem().Outcome.ShouldBe(GroupOutcome.Unchanged);
    }

    [Fact]
    public void Rescale_KnownCase_IsDoneAndUndone()
    {
        using var folder = new TemporaryFolder();
        using var model = Checkpoint.Open(TestData.Require("cases", "f16-default-does-nothing", "model"));
        var result = Rescaler.Rescale(model, folder["out"], new RescaleOptions());
        result.Move!.Groups.ShouldAllBe(group => group.Outcome != GroupOutcome.Skipped);
        result.Move.Groups.ShouldContain(group => group.Outcome == GroupOutcome.Scaled);
        result.RoundedElements.ShouldBeGreaterThan(0);
        foreach (var group in result.Move.Groups) (group.NormsAfter[0] / group.NormsAfter[1]).ShouldBeInRange(0.499, 2.01);
        Undo(folder, "out", "back").RoundedTensors.ShouldBeEmpty();
        File.ReadAllBytes(folder["back", Checkpoint.WeightsName])
            .ShouldBe(File.ReadAllBytes(Path.Combine(model.Folder, Checkpoint.WeightsName)));
    }

    [Fact]
    public void Rescale_Lossless_SkipsTheGroupAndCounts()
    {
        using var folder = new TemporaryFolder();

        // W_q is halved twice: elements below 2^-12 leave the normal range.
        var model = new SmallLlama
        {
            Dtype = "F16", Layers = 1, Deviation = (projection, _) => projection switch { "q" => 0.02, "k" => 0.0025, "v" => 2, _ => 0.5 },
        };
        model.Write(folder["m"]);
        var options = PowersOfTwo with { ValueOutput = Granularity.Tensor, Lossless = true };
        var result = Rescale(folder, "m", "out", options);
        var group = result.Move!.Groups[0];
        (group.Outcome, group.Factor).ShouldBe((GroupOutcome.Skipped, 1.0));
        result.Move.Groups[1].Outcome.ShouldBe(GroupOutcome.Scaled);
        string query = SmallLlama.Weight(0, "q");
        double factor = Math.ScaleB(
            1,
            (int)Math.Round(0.5 * Math.Log2(group.NormsBefore[1] / group.NormsBefore[0]), MidpointRounding.ToEven));
        int lost = CountLost(TestCheckpoint.Read(folder["m"])[query], factor);
        lost.ShouldBeGreaterThan(0);
        group.Note.ShouldBe($"{lost} elements of {query} would lose bits in F16");
        result.Notes.ShouldBe([(GroupOutcome.Skipped, group.Note!, 1)]);
        result.RoundedElements.ShouldBe(0);
        group.NormsAfter.ShouldBe(group.NormsBefore);
        TestCheckpoint.Read(folder["out"])[query].Bytes.ShouldBe(TestCheckpoint.Read(folder["m"])[query].Bytes);
    }

    [Fact]
    public void Rescale_GroupsByHead_SkipsOnlyThoseThatWouldLose()
    {
        using var folder = new TemporaryFolder();
        var model = new SmallLlama { Dtype = "F16", Layers = 1, Deviation = (projection, _) => projection == "q" ? 0.5 : 0.06 };
        var tensors = model.Tensors();

        // One tiny element, in the second head.
        BitConverter.TryWriteBytes(
            tensors.Single(tensor => tensor.Name == SmallLlama.Weight(0, "q")).Bytes.AsSpan(2 * ((20 * model.Hidden) + 3)),
            (ushort)0x0003);
        model.Write(folder["m"], tensors);
        var move = Rescale(folder, "m", "out", PowersOfTwo with { QueryKey = Granularity.KvHead, Lossless = true }).Move!;
        move.Groups.Select(group => group.Outcome).ShouldBe([GroupOutcome.Scaled, GroupOutcome.Skipped]);
        move.Groups[1].Note.ShouldBe("1 element of model.layers.0.self_attn.q_proj.weight would lose bits in F16");
        Undo(folder, "out", "back").RoundedTensors.ShouldBeEmpty();
        Same(folder, "m", "back");
    }

    [Theory]
    [InlineData("F16", 40000, "q_proj.weight would overflow F16")]
    [InlineData("BF16", 2e38, "q_proj.weight would overflow BF16")]
    [InlineData("F32", 2e38, "q_proj.weight would overflow F32")]
    public void Rescale_ElementThatWouldOverflow_SkipsTheGroup(string dtype, double large, string expected)
    {
        using var folder = new TemporaryFolder();
        Spiked(dtype, large, large * 0.9).Invoke(folder["m"]);
        foreach (var rounding in (FactorRounding[])[FactorRounding.PowerOfTwo, FactorRounding.None])
        {
            var options = PowersOfTwo with { ValueOutput = Granularity.Tensor, Balance = new BalanceOptions(Rounding: rounding) };
            var move = Rescale(folder, "m", $"{rounding}", options).Move!;
            double most = new Dictionary<string, double> { ["F16"] = 65504, ["BF16"] = 3.3895e38, ["F32"] = float.MaxValue }[dtype] / large;
            if (rounding == FactorRounding.None)
            {
                // What is left of an exact factor is as much as fits.
                move.Groups[0].Factor.ShouldBe(most, most * 0.01);
                move.Groups[0].Note!.ShouldContain("clamped to");
            }
            else
            {
                move.Groups[0].Outcome.ShouldBe(GroupOutcome.Skipped);
                move.Lost.ShouldBeEmpty();
            }

            move.Groups[0].Note!.ShouldEndWith(expected);
            foreach (var tensor in TestCheckpoint.Read(folder[$"{rounding}"]).Values)
                ReferenceFloat.Values(dtype, tensor.Bytes).ShouldAllBe(value => double.IsFinite(value));
            if (rounding == FactorRounding.PowerOfTwo)
                Should.Throw<WiscaException>(() => Rescale(folder, "m", "out", options with { RequireQueryKey = true }))
                    .Message.ShouldContain("layer 0: qk is not applied: model.layers.0.self_attn.q_proj.weight would overflow");
        }
    }

    [Theory]
    [InlineData("q", "k", 8, "clamped to 2^3")]
    [InlineData("k", "q", 0.125, "clamped to 2^-3")]
    public void Rescale_ElementThatWouldOverflow_ClampsTheFactorToWhatFits(string side, string other, double factor, string note)
    {
        using var folder = new TemporaryFolder();
        Spiked("F16", 5000, 20000, side, other).Invoke(folder["m"]);
        var group = Rescale(folder, "m", "out", PowersOfTwo with { RequireQueryKey = true }).Move!.Groups.ShouldHaveSingleItem();
        (group.Outcome, group.Factor).ShouldBe((GroupOutcome.Scaled, factor));
        group.Note.ShouldNotBeNull().ShouldEndWith($" {note}: model.layers.0.self_attn.{side}_proj.weight would overflow F16");
        ReferenceFloat.Values("F16", TestCheckpoint.Read(folder["out"])[SmallLlama.Weight(0, side)].Bytes)[7].ShouldBe(40000);
        Undo(folder, "out", "back").RoundedTensors.ShouldBeEmpty();
        Same(folder, "m", "back");
    }

    /// <summary>A model of one layer of which one side (W_q) is zero but for one element, and the other (W_k) the same large number
    /// everywhere.</summary>
    private static Action<string> Spiked(string dtype, double spike, double everywhere, string side = "q", string other = "k") => path =>
    {
        var model = new SmallLlama { Dtype = dtype, Layers = 1 };
        var tensors = model.Tensors();
        Fill(side, count => [.. Enumerable.Range(0, count).Select(at => at == 7 ? spike : 0)]);
        Fill(other, count => [.. Enumerable.Repeat(everywhere, count)]);
        model.Write(path, tensors);

        void Fill(string projection, Func<int, double[]> values)
        {
            int at = tensors.FindIndex(tensor => tensor.Name == SmallLlama.Weight(0, projection));
            int count = tensors[at].Bytes.Length / ReferenceFloat.Size(dtype);
            tensors[at] = tensors[at] with { Bytes = ReferenceFloat.Bytes(dtype, values(count)) };
        }
    };

    [Theory]
    [InlineData("F16")]
    [InlineData("BF16")]
    public void Undo_AfterAnyNumberOfLossyMoves_GivesBackTheOriginalBits(string dtype)
    {
        int lossy = 0;
        Gen.Select(Gen.Int[0, 100_000], Gen.Int[1, 3]).Sample(
            (seed, moves) =>
            {
                using var folder = new TemporaryFolder();
                var random = new Random(seed);
                var model = new SmallLlama { Dtype = dtype, Layers = 1, Seed = seed, Biases = true, Shards = 1 + (seed % 2) };
                int exponents = dtype == "F16" ? 20 : 250;

                // Finite patterns of every size, so that moves round at both ends of the range.
                var tensors = model.Tensors().Select(tensor => tensor with
                {
                    Bytes = ReferenceFloat.Bytes(
                        dtype,
                        Enumerable
                            .Range(0, tensor.Bytes.Length / 2)
                            .Select(_ =>
                                SmallLlama.Normal(random)
                                * Math.ScaleB(1, random.Next(-exponents / 2, exponents / 2) - (dtype == "F16" ? 6 : 10)))),
                }).ToList();
                model.Write(folder["0"], tensors);
                bool lostSomething = false;
                for (int move = 0; move < moves; move++)
                {
                    var options = new RescaleOptions
                    {
                        QueryKey = random.Next(2) == 0 ? Granularity.KvHead : Granularity.Pair,
                        ValueOutput = random.Next(2) == 0 ? Granularity.Tensor : Granularity.Channel,
                        Balance = new BalanceOptions((Criterion)random.Next(4), FactorRounding.PowerOfTwo, 3),
                    };
                    var result = Rescale(folder, $"{move}", $"{move + 1}", options);
                    lostSomething |= result.Move!.Lost.Count > 0;
                    foreach (var tensor in TestCheckpoint.Read(folder[$"{move + 1}"]).Values)
                        ReferenceFloat.Values(dtype, tensor.Bytes).ShouldAllBe(value => double.IsFinite(value));
                }

                var undone = Undo(folder, $"{moves}", "back");
                undone.RoundedTensors.ShouldBeEmpty();
                Same(folder, "0", "back");
                if (lostSomething && moves > 1) Interlocked.Increment(ref lossy);
            },
            iter: 40,
            threads: 1);
        lossy.ShouldBeGreaterThan(5);
    }

    [Fact]
    public void Undo_LossesInManyBlocks_AreAllGivenBack()
    {
        using var folder = new TemporaryFolder();

        // Rows of 6 kB: the megabyte of the buffer ends in the middle of W_q, and again and again in W_o.
        var model = new SmallLlama
        {
            Dtype = "F16",
            Layers = 1,
            Hidden = 3000,
            Heads = 64,
            Deviation = (projection, _) => projection is "q" or "v" ? 0.02 : 0.002,
        };
        model.Write(folder["m"]);
        var move = Rescale(folder, "m", "out", PowersOfTwo with { ValueOutput = Granularity.Channel }).Move!;
        move.Lost.Sum(lost => lost.Count).ShouldBeGreaterThan(10_000);

        // Far less than an index of eight bytes and the element, in base64, would take.
        (move.Lost.Sum(lost => lost.Packed.Length) / (double)move.Lost.Sum(lost => lost.Count)).ShouldBeLessThan(4);

        Undo(folder, "out", "back").RoundedTensors.ShouldBeEmpty();
        Same(folder, "m", "back");
    }

    [Fact]
    public void Undo_ExactMoveAmongLossyOnes_IsRightToRounding()
    {
        using var folder = new TemporaryFolder();
        var model = new SmallLlama { Dtype = "F16", Layers = 1, Deviation = (projection, _) => projection == "q" ? 0.02 : 0.002 };
        model.Write(folder["0"]);
        var lossy = PowersOfTwo;
        Rescale(folder, "0", "1", lossy with { Balance = new BalanceOptions(Rounding: FactorRounding.None, MaxLog2: 0.3) })
            .Move!.PowersOfTwo.ShouldBeFalse();
        Rescale(folder, "1", "2", lossy).Move!.Lost.ShouldNotBeEmpty();
        var undone = Undo(folder, "2", "back");
        undone.RoundedTensors.ShouldBe([SmallLlama.Weight(0, "k"), SmallLlama.Weight(0, "q")]);
        var before = TestCheckpoint.Read(folder["0"]);
        var after = TestCheckpoint.Read(folder["back"]);
        foreach (var (name, tensor) in before)
        {
            double[] expected = ReferenceFloat.Values("F16", tensor.Bytes), actual = ReferenceFloat.Values("F16", after[name].Bytes);

            // Three roundings of 2^-11, or a few units of the subnormal range.
            for (int i = 0; i < expected.Length; i++)
                Math.Abs(actual[i] - expected[i])
                    .ShouldBeLessThanOrEqualTo((Math.Abs(expected[i]) * Math.ScaleB(3, -11)) + Math.ScaleB(4, -24), name);
        }
    }

    [Fact]
    public void Undo_TrainedBeyondTheRange_IsRefused()
    {
        using var folder = new TemporaryFolder();
        var model = new SmallLlama { Dtype = "F16", Layers = 1, Deviation = (projection, _) => projection == "q" ? 40 : 0.5 };
        model.Write(folder["m"]);
        Rescale(folder, "m", "out", PowersOfTwo).Move!.Groups[0].Factor.ShouldBe(0.0625);
        var tensors = TestCheckpoint.Read(folder["out"]).Values.ToList();
        BitConverter.TryWriteBytes(
            tensors.Single(tensor => tensor.Name == SmallLlama.Weight(0, "q")).Bytes.AsSpan(2 * 3 * model.Hidden),
            (Half)10000);
        File.WriteAllBytes(folder["out", TestCheckpoint.Weights], TestCheckpoint.File(tensors));
        Should
            .Throw<WiscaException>(() => Undo(folder, "out", "back"))
            .Message.ShouldBe(
                "tensor 'model.layers.0.self_attn.q_proj.weight' was trained since, "
                + "and at index 3 it would overflow F16 in its original gauge");
    }

    private static int CountLost(TestTensor tensor, double factor) => ReferenceFloat.Values(tensor.Dtype, tensor.Bytes)
        .Count(value => ReferenceFloat.Decode(tensor.Dtype, ReferenceFloat.Encode(tensor.Dtype, value * factor)) / factor != value);

    private static RescaleResult Rescale(TemporaryFolder folder, string from, string to, RescaleOptions options)
    {
        using var checkpoint = Checkpoint.Open(folder[from]);
        return Rescaler.Rescale(checkpoint, folder[to], options);
    }

    private static RescaleResult DryRun(TemporaryFolder folder, string from, RescaleOptions options)
    {
        using var checkpoint = Checkpoint.Open(folder[from]);
        return Rescaler.DryRun(checkpoint, options);
    }

    private static UndoResult Undo(TemporaryFolder folder, string from, string to)
    {
        using var checkpoint = Checkpoint.Open(folder[from]);
        return Undoer.Undo(checkpoint, folder[to]);
    }

    private static void Same(TemporaryFolder folder, string expected, string actual)
    {
        foreach (string path in Directory.EnumerateFiles(folder[expected], "*.safetensors"))
            File.ReadAllBytes(folder[actual, Path.GetFileName(path)]).AsSpan().SequenceEqual(File.ReadAllBytes(path)).ShouldBeTrue(path);
    }
}
