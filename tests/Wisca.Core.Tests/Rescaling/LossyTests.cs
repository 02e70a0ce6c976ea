using CsCheck;
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
    public void Rescale_ElementsThatWouldLoseBits_SkipTheGroupAndAreCounted()
    {
        using var folder = new TemporaryFolder();

        // W_q is halved twice: elements below 2^-12 leave the normal range.
        var model = new SmallLlama { Dtype = "F16", Layers = 1, Deviation = (projection, _) => projection == "q" ? 0.02 : 0.0025 };
        model.Write(folder["m"]);
        var result = Rescale(folder, "m", "out", PowersOfTwo);
        var group = result.Move!.Groups.ShouldHaveSingleItem();
        (group.Outcome, group.Factor).ShouldBe((GroupOutcome.Skipped, 1.0));
        string query = SmallLlama.Weight(0, "q");
        double factor = Math.ScaleB(
            1,
            (int)Math.Round(0.5 * Math.Log2(group.NormsBefore[1] / group.NormsBefore[0]), MidpointRounding.ToEven));
        int lost = CountLost(TestCheckpoint.Read(folder["m"])[query], factor);
        lost.ShouldBeGreaterThan(0);
        group.Note.ShouldBe($"{lost} elements of {query} would lose bits in F16 (--allow-lossy scales it all the same)");
        result.Notes.ShouldBe([(GroupOutcome.Skipped, group.Note!, 1)]);
        group.NormsAfter.ShouldBe(group.NormsBefore);
        Same(folder, "m", "out");
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
        var move = Rescale(folder, "m", "out", PowersOfTwo with { QueryKey = Granularity.KvHead }).Move!;
        move.Groups.Select(group => group.Outcome).ShouldBe([GroupOutcome.Scaled, GroupOutcome.Skipped]);
        move.Groups[1]
            .Note.ShouldBe(
                "1 element of model.layers.0.self_attn.q_proj.weight would lose bits in F16 (--allow-lossy scales it all the same)");
        Undo(folder, "out", "back").RoundedTensors.ShouldBeEmpty();
        Same(folder, "m", "back");
    }

    [Theory]
    [InlineData("F16", 30000, "q_proj.weight would overflow F16")]
    [InlineData("BF16", 1e38, "q_proj.weight would overflow BF16")]
    [InlineData("F32", 1e38, "q_proj.weight would overflow F32")]
    public void Rescale_ElementThatWouldOverflow_SkipsTheGroup(string dtype, double large, string expected)
    {
        using var folder = new TemporaryFolder();
        var model = new SmallLlama { Dtype = dtype, Layers = 1 };
        var tensors = model.Tensors();
        int query = tensors.FindIndex(tensor => tensor.Name == SmallLlama.Weight(0, "q")), key = query + 1;
        double[] values = new double[tensors[query].Bytes.Length / ReferenceFloat.Size(dtype)];
        values[7] = large;
        tensors[query] = tensors[query] with { Bytes = ReferenceFloat.Bytes(dtype, values) };
        tensors[key] = tensors[key] with
        {
            Bytes = ReferenceFloat.Bytes(dtype, Enumerable.Repeat(large, tensors[key].Bytes.Length / ReferenceFloat.Size(dtype))),
        };
        model.Write(folder["m"], tensors);
        foreach (var rounding in (FactorRounding[])[FactorRounding.PowerOfTwo, FactorRounding.None])
        {
            var group = Rescale(folder, "m", $"{rounding}", PowersOfTwo with { Balance = new BalanceOptions(Rounding: rounding) })
                .Move!.Groups.ShouldHaveSingleItem();
            group.Outcome.ShouldBe(GroupOutcome.Skipped);
            group.Note!.ShouldEndWith(expected);
            Same(folder, "m", $"{rounding}");
        }

        // Allowed, the largest finite value stands in its place, and the original comes back.
        var move = Rescale(folder, "m", "out", PowersOfTwo with { AllowLossy = true }).Move!;
        move.Groups[0].Outcome.ShouldBe(GroupOutcome.Scaled);
        move.Lost.ShouldContain(lost => lost.Tensor == SmallLlama.Weight(0, "q"));
        double[] written = ReferenceFloat.Values(dtype, TestCheckpoint.Read(folder["out"])[SmallLlama.Weight(0, "q")].Bytes);
        var (fraction, exponent) = ReferenceFloat.Format(dtype);
        written[7].ShouldBe(ReferenceFloat.Decode(dtype, (((1UL << exponent) - 1) << fraction) - 1));
        Undo(folder, "out", "back").RoundedTensors.ShouldBeEmpty();
        Same(folder, "m", "back");
    }

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
                        AllowLossy = true,
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
        var move = Rescale(folder, "m", "out", PowersOfTwo with { ValueOutput = Granularity.Channel, AllowLossy = true }).Move!;
        move.Lost.Sum(lost => lost.DecodeIndices().Length).ShouldBeGreaterThan(10_000);
        Undo(folder, "out", "back").RoundedTensors.ShouldBeEmpty();
        Same(folder, "m", "back");
    }

    [Fact]
    public void Undo_ExactMoveAmongLossyOnes_IsRightToRounding()
    {
        using var folder = new TemporaryFolder();
        var model = new SmallLlama { Dtype = "F16", Layers = 1, Deviation = (projection, _) => projection == "q" ? 0.02 : 0.002 };
        model.Write(folder["0"]);
        var lossy = PowersOfTwo with { AllowLossy = true };
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
