using System.Text.Json.Nodes;
using CsCheck;
using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Rescaling;

/// <summary>Rescaling against arithmetic of its own: weights in float64, heads sliced by the test.</summary>
public sealed class RescalerTests
{
    private static readonly RescaleOptions ByHead = new() { QueryKey = Granularity.KvHead, ValueOutput = Granularity.KvHead };

    // The second model's W_q and W_o go through the buffer in several blocks, and a digest takes more than one piece.
    [Theory]
    [InlineData("F32", 1, 16, 4)]
    [InlineData("F32", 1, 2100, 256)]
    [InlineData("F64", 3, 16, 4)]
    public void Rescale_ExactFactorsByHead_GiveTheWeightsOfTheFormula(string dtype, int shards, int hidden, int heads)
    {
        using var folder = new TemporaryFolder();
        var model = new SmallLlama
        {
            Dtype = dtype,
            Shards = shards,
            Biases = true,
            Hidden = hidden,
            Heads = heads,
            Layers = hidden > 100 ? 1 : 2,
        };
        model.Write(folder["m"]);
        Rescale(folder, "m", "out", ByHead);

        var before = TestCheckpoint.Read(folder["m"]);
        var after = TestCheckpoint.Read(folder["out"]);
        after.Keys.ShouldBe(before.Keys);
        double tolerance = dtype == "F64" ? 1e-14 : 1e-7;
        foreach (var (name, tensor) in before)
        {
            double[] expected = ReferenceFloat.Values(dtype, tensor.Bytes);
            int[] channelOf = Channels(model, name, tensor.Shape);
            after[name].Bytes.AsSpan().SequenceEqual(tensor.Bytes).ShouldBe(channelOf.Length == 0, name);
            double[] factors =
                channelOf.Length == 0 ? [] : [.. Enumerable.Range(0, model.KvHeads).Select(head => Factor(model, before, name, head))];
            for (int i = 0; i < channelOf.Length; i++) expected[i] *= factors[channelOf[i] / model.HeadDim];
            double[] actual = ReferenceFloat.Values(dtype, after[name].Bytes);
            expected
                .Zip(actual, (wanted, found) => Math.Abs(found - wanted) / Math.Max(1e-300, Math.Abs(wanted)))
                .Max()
                .ShouldBeLessThanOrEqualTo(tolerance, name);
        }

        Undo(folder, "out", "back").TrainedTensors.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("F32")]
    [InlineData("BF16")]
    [InlineData("F16")]
    [InlineData("F64")]
    public void Undo_PowersOfTwo_GivesBackEveryByteOfTheWeightFiles(string dtype) =>
        Gen.Select(
                Gen.Int[1, 4],
                Gen.Bool,
                Gen.Int[0, 1000],
                Gen.Enum<Criterion>().Where(criterion => criterion != Criterion.Fisher),
                Gen.Int[0, 2],
                Gen.Double[-9, 3])
            .Sample(
                (shards, biases, seed, criterion, granularity, spread) =>
                {
                    using var folder = new TemporaryFolder();
                    var model = new SmallLlama
                    {
                        Dtype = dtype,
                        Shards = shards,
                        Biases = biases,
                        Seed = seed,
                        Layers = 1 + (seed % 2),
                        Deviation = (projection, layer) => projection is "q" or "o" ? 0.5 : 0.5 * Math.Pow(2, spread),
                    };
                    model.Write(folder["m"]);
                    var options = new RescaleOptions
                    {
                        QueryKey = ((Granularity[])[Granularity.Tensor, Granularity.KvHead, Granularity.Pair])[granularity],
                        ValueOutput = ((Granularity[])[Granularity.Tensor, Granularity.KvHead, Granularity.Channel])[granularity],
                        Balance = new BalanceOptions(criterion, FactorRounding.PowerOfTwo),
                    };
                    var move = Rescale(folder, "m", "out", options).Move!;
                    move.PowersOfTwo.ShouldBeTrue();
                    var undone = Undo(folder, "out", "back");
                    undone.RoundedTensors.ShouldBeEmpty();
                    undone.TrainedTensors.ShouldBeEmpty();
                    undone.BitExactTensors.ShouldBe(move.Tensors.Keys);
                    SameWeightFiles(folder["m"], folder["back"]);

                    // Only the ledger is new in the rescaled folder, and the headers are what they were.
                    FileNames(folder["out"]).ShouldBe([.. FileNames(folder["m"]).Append("wisca.json").Order(StringComparer.Ordinal)]);
                    foreach (string path in Directory.EnumerateFiles(folder["m"], "*.safetensors"))
                        Header(folder["out", Path.GetFileName(path)]).ShouldBe(Header(path));
                },
                iter: 25,
                threads: 1);

    [Theory]
    [InlineData("F32", "auto", false)]
    [InlineData("F64", "auto", false)]
    [InlineData("BF16", "auto", true)]
    [InlineData("F16", "auto", true)]
    [InlineData("BF16", "none", false)]
    [InlineData("F32", "pow2", true)]
    public void Rescale_RoundAuto_FollowsTheStoredType(string dtype, string round, bool powersOfTwo)
    {
        using var folder = new TemporaryFolder();
        new SmallLlama { Dtype = dtype }.Write(folder["m"]);
        var rounding = round switch { "auto" => FactorRounding.Auto, "none" => FactorRounding.None, _ => FactorRounding.PowerOfTwo };
        var move = Rescale(
            folder, "m", "out", new RescaleOptions { Balance = new BalanceOptions(Rounding: rounding) }
        ).Move!;
        move.Groups.ShouldAllBe(group => group.Outcome == GroupOutcome.Scaled);
        move.Groups.All(group => double.IsPow2(group.Factor)).ShouldBe(powersOfTwo);
        move.PowersOfTwo.ShouldBe(powersOfTwo);
    }

    [Fact]
    public void Undo_ExactFactors_IsRightToRoundingAndSaysWhich()
    {
        using var folder = new TemporaryFolder();
        var model = new SmallLlama { Shards = 2 };
        model.Write(folder["m"]);
        Rescale(folder, "m", "out", new RescaleOptions { ValueOutput = null });
        var undone = Undo(folder, "out", "back");

        string[] scaled = [SmallLlama.Weight(0, "k"), SmallLlama.Weight(0, "q"), SmallLlama.Weight(1, "k"), SmallLlama.Weight(1, "q")];
        undone.BitExactTensors.Concat(undone.RoundedTensors).Order(StringComparer.Ordinal).ShouldBe(scaled);
        undone.RoundedTensors.ShouldNotBeEmpty();
        var before = TestCheckpoint.Read(folder["m"]);
        var after = TestCheckpoint.Read(folder["back"]);
        foreach (var (name, tensor) in before)
        {
            bool same = after[name].Bytes.SequenceEqual(tensor.Bytes);
            same.ShouldBe(!undone.RoundedTensors.Contains(name), name);
            double[] expected = ReferenceFloat.Values("F32", tensor.Bytes), actual = ReferenceFloat.Values("F32", after[name].Bytes);
            for (int i = 0; i < expected.Length; i++)
                Math.Abs(actual[i] - expected[i]).ShouldBeLessThanOrEqualTo(Math.Abs(expected[i]) * 2.5e-7);
        }
    }

    [Fact]
    public void Rescale_Again_AddsToTheLedgerAndUndoGoesAllTheWayBack() =>
        Gen.Select(Gen.Int[1, 1000], Gen.Bool.Array[1, 4], Gen.Bool).Sample(
            (seed, powersOfTwo, byChannel) =>
            {
                using var folder = new TemporaryFolder();
                var model = new SmallLlama { Seed = seed, Shards = 2 };
                model.Write(folder["0"]);
                for (int move = 0; move < powersOfTwo.Length; move++)
                {
                    var options = new RescaleOptions
                    {
                        // Other transitions, layers and norms each time, so that there is something left to do.
                        QueryKey = move % 2 == 0 ? Granularity.Tensor : Granularity.Pair,
                        ValueOutput = move == 1 ? null : byChannel ? Granularity.Channel : Granularity.KvHead,
                        Layers = new LayerRange(move == 2 ? "1" : "all"),
                        Balance = new BalanceOptions(
                            (Criterion)(move % 4),
                            powersOfTwo[move] ? FactorRounding.PowerOfTwo : FactorRounding.None),
                    };
                    var result = Rescale(folder, $"{move}", $"{move + 1}", options);
                    result.Ledger!.Moves.Count.ShouldBe(move + 1);
                    Ledger.Load(folder[$"{move + 1}"])!.Moves.Count.ShouldBe(move + 1);
                }

                var undone = Undo(folder, $"{powersOfTwo.Length}", "back");
                undone.Moves.ShouldBe(powersOfTwo.Length);
                undone.TrainedTensors.ShouldBeEmpty();
                Ledger.Load(folder["back"])!.Moves.ShouldBeEmpty();
                if (powersOfTwo.All(isPowerOfTwo => isPowerOfTwo)) undone.RoundedTensors.ShouldBeEmpty();
                var before = TestCheckpoint.Read(folder["0"]);
                var after = TestCheckpoint.Read(folder["back"]);
                foreach (var (name, tensor) in before)
                {
                    // The claim of bit exactness is neither too bold nor too shy.
                    after[name].Bytes.SequenceEqual(tensor.Bytes).ShouldBe(!undone.RoundedTensors.Contains(name), name);
                    double[] expected = ReferenceFloat.Values("F32", tensor.Bytes),
                        actual = ReferenceFloat.Values("F32", after[name].Bytes);
                    for (int i = 0; i < expected.Length; i++)
                        Math.Abs(actual[i] - expected[i]).ShouldBeLessThanOrEqualTo(Math.Abs(expected[i]) * 1e-6, name);
                }
            },
            iter: 15,
            threads: 1);

    [Theory]
    [InlineData(FactorRounding.None)]
    [InlineData(FactorRounding.PowerOfTwo)]
    public void Rescale_Twice_FindsNothingMoreToDo(FactorRounding rounding)
    {
        using var folder = new TemporaryFolder();
        new SmallLlama { Dtype = "F64" }.Write(folder["m"]);
        foreach (var criterion in Enum.GetValues<Criterion>().Where(criterion => criterion != Criterion.Fisher))
        {
            var options = ByHead with { Balance = new BalanceOptions(criterion, rounding) };
            string once = $"{criterion}1", twice = $"{criterion}2";
            Rescale(folder, "m", once, options);
            var second = Rescale(folder, once, twice, options);
            if (rounding == FactorRounding.PowerOfTwo)
            {
                second.Move!.Groups.ShouldAllBe(group => group.Outcome == GroupOutcome.Unchanged && group.Factor == 1);
                second.Move.Tensors.ShouldBeEmpty();
                SameWeightFiles(folder[once], folder[twice]);
            }
            else second.Move!.Groups.ShouldAllBe(group => Math.Abs(group.Factor - 1) < 1e-12);
        }
    }

    [Fact]
    public void Rescale_AnyCriterion_MakesThatNormEqual()
    {
        using var folder = new TemporaryFolder();
        new SmallLlama { Dtype = "F64" }.Write(folder["m"]);
        foreach (var criterion in Enum.GetValues<Criterion>().Where(criterion => criterion != Criterion.Fisher))
        {
            var move = Rescale(folder, "m", $"{criterion}", ByHead with { Balance = new BalanceOptions(criterion) }).Move!;
            move.Groups.Count.ShouldBe(8);
            foreach (var group in move.Groups)
            {
                (group.NormsAfter[0] / group.NormsAfter[1]).ShouldBe(1, 1e-9);
                group.Factor.ShouldBe(Math.Sqrt(group.NormsBefore[1] / group.NormsBefore[0]), 1e-12 * group.Factor);
            }
        }
    }

    [Fact]
    public void Undo_TrainedSince_KeepsWhatWasLearnedInTheOriginalGauge()
    {
        using var folder = new TemporaryFolder();
        var model = new SmallLlama { Shards = 2 };
        model.Write(folder["m"]);
        var move = Rescale(
            folder, "m", "out", new RescaleOptions { Balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo) }
        ).Move!;
        string query = SmallLlama.Weight(0, "q"), embedding = "model.embed_tokens.weight";
        double factor = move.Groups.Single(group => group is { Layer: 0, Transition: TransitionKind.QueryKey }).Factor;
        Edit(folder["out"], query, 5, value => value + 0.125f);
        Edit(folder["out"], embedding, 0, value => value + 1);

        var undone = Undo(folder, "out", "back");
        undone.TrainedTensors.ShouldBe([query]);
        undone.BitExactTensors.Length.ShouldBe(7);
        var before = TestCheckpoint.Read(folder["m"]);
        var after = TestCheckpoint.Read(folder["back"]);
        double[] expected = ReferenceFloat.Values("F32", before[query].Bytes), actual = ReferenceFloat.Values("F32", after[query].Bytes);
        expected[5] = (float)(((float)(expected[5] * factor) + 0.125f) / factor);
        actual.ShouldBe(expected);
        ReferenceFloat
            .Values("F32", after[embedding].Bytes)[0]
            .ShouldBe((float)(ReferenceFloat.Values("F32", before[embedding].Bytes)[0] + 1));
    }

    [Fact]
    public void Undo_TrainedBetweenTwoMoves_IsNoticed()
    {
        using var folder = new TemporaryFolder();
        new SmallLlama().Write(folder["m"]);
        var options = new RescaleOptions { Balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo) };
        Rescale(folder, "m", "1", options);
        Edit(folder["1"], SmallLlama.Weight(1, "v"), 3, value => value * 2);
        Rescale(folder, "1", "2", options with { QueryKey = Granularity.Pair, ValueOutput = Granularity.Channel });
        var undone = Undo(folder, "2", "back");
        undone.TrainedTensors.ShouldBe([SmallLlama.Weight(1, "v")]);
        undone.RoundedTensors.ShouldBeEmpty();
        double was = ReferenceFloat.Values("F32", TestCheckpoint.Read(folder["m"])[SmallLlama.Weight(1, "v")].Bytes)[3];
        ReferenceFloat.Values("F32", TestCheckpoint.Read(folder["back"])[SmallLlama.Weight(1, "v")].Bytes)[3].ShouldBe(was * 2);
    }

    [Fact]
    public void Undo_TrainedToNotANumber_IsRefused()
    {
        using var folder = new TemporaryFolder();
        new SmallLlama().Write(folder["m"]);
        Rescale(folder, "m", "out", new RescaleOptions());
        Edit(folder["out"], SmallLlama.Weight(1, "v"), 3, _ => float.NaN);
        Should
            .Throw<WiscaException>(() => Undo(folder, "out", "back"))
            .Message.ShouldContain("'model.layers.1.self_attn.v_proj.weight' holds NaN or infinity at [0, 3]");
        Directory.EnumerateFileSystemEntries(folder.FullPath).Select(Path.GetFileName).Order().ShouldBe(["m", "out"]);
    }

    [Fact]
    public void Rescale_ZeroNorm_SkipsThatGroupAndSaysSo()
    {
        using var folder = new TemporaryFolder();
        var model = new SmallLlama();
        var tensors = model.Tensors();
        var key = tensors.Single(tensor => tensor.Name == SmallLlama.Weight(1, "k"));

        // The first of its two heads is pruned away.
        key.Bytes.AsSpan(0, key.Bytes.Length / 2).Clear();
        model.Write(folder["m"], tensors);
        var result = Rescale(folder, "m", "out", ByHead);
        var group = result.Move!.Groups.Single(group => group.Outcome == GroupOutcome.Skipped);
        (group.Layer, group.Transition, group.KvHead, group.Factor, group.Note).ShouldBe(
            (1, TransitionKind.QueryKey, 0, 1.0, "one side is all zeros"));
        result.Notes.ShouldBe([(GroupOutcome.Skipped, "one side is all zeros", 1)]);
        TestCheckpoint.Read(folder["out"])[key.Name].Bytes[..(key.Bytes.Length / 2)].ShouldAllBe(zero => zero == 0);
    }

    [Fact]
    public void Rescale_FactorBeyondTheClamp_IsClampedAndReported()
    {
        using var folder = new TemporaryFolder();
        var model = new SmallLlama { Dtype = "F64", Layers = 1, Deviation = (projection, _) => projection is "q" ? 1e-9 : 1 };
        model.Write(folder["m"]);
        foreach (
            var (rounding, limit, factor) in ((FactorRounding, double, double)[])
                [
                    (FactorRounding.None, 6, 64), (FactorRounding.PowerOfTwo, 6, 64), (FactorRounding.None, 2.5, Math.Pow(2, 2.5)),
                    (FactorRounding.PowerOfTwo, 2.5, 4),
                ])
        {
            var result = Rescale(
                folder, "m", $"{rounding}{limit}",
                new RescaleOptions { ValueOutput = null, Balance = new BalanceOptions(Rounding: rounding, MaxLog2: limit) });
            var group = result.Move!.Groups.ShouldHaveSingleItem();
            group.Factor.ShouldBe(factor, 1e-12);
            group.Note!.ShouldStartWith("factor 2^1");
            group.Note!.ShouldEndWith($"clamped to 2^{limit}");
            result.Notes.ShouldHaveSingleItem();
        }
    }

    [Theory]
    [InlineData(-6)]
    [InlineData(-5)]
    [InlineData(-3)]
    [InlineData(-2)]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(7)]
    public void Rescale_PowersOfTwo_RoundTiesToEven(int log2OfRatio)
    {
        using var folder = new TemporaryFolder();

        // All of W_q is 1 and all of W_k is 2^n, of the same size: log2 s = n / 2 exactly, which is a tie for odd n.
        var model = new SmallLlama { Layers = 1, Heads = 2, KvHeads = 2 };
        var tensors = model.Tensors().Select(tensor => tensor.Name switch
        {
            "model.layers.0.self_attn.q_proj.weight" => Constant(tensor, 1),
            "model.layers.0.self_attn.k_proj.weight" => Constant(tensor, Math.ScaleB(1, log2OfRatio)),
            _ => tensor,
        }).ToList();
        model.Write(folder["m"], tensors);
        var move = Rescale(
            folder, "m", "out", new RescaleOptions { ValueOutput = null, Balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo) }
        ).Move!;
        int expected = (int)(log2OfRatio % 2 == 0 ? log2OfRatio / 2 : 2 * Math.Round(log2OfRatio / 4.0));
        move.Groups.ShouldHaveSingleItem().Factor.ShouldBe(Math.ScaleB(1, expected));
        move.Groups[0].Outcome.ShouldBe(expected == 0 ? GroupOutcome.Unchanged : GroupOutcome.Scaled);
    }

    [Fact]
    public void Rescale_ForcedToTheEndsOfTheClamp_StaysBitExact()
    {
        using var folder = new TemporaryFolder();
        foreach (string dtype in (string[])["F32", "BF16", "F64"])
        {
            var model = new SmallLlama
            {
                Dtype = dtype,
                Deviation = (projection, layer) => projection is "q" or "v" == (layer == 0) ? 1e4 : 1e-4,
            };
            model.Write(folder[dtype]);
            var move = Rescale(
                folder, dtype, dtype + "out", new RescaleOptions { Balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo) }
            ).Move!;
            move.Groups.Select(group => group.Factor).Distinct().Order().ShouldBe([1.0 / 64, 64]);
            Undo(folder, dtype + "out", dtype + "back").RoundedTensors.ShouldBeEmpty();
            SameWeightFiles(folder[dtype], folder[dtype + "back"]);
        }
    }

    [Theory]
    [InlineData("F32")]
    [InlineData("F16")]
    public void Rescale_AnyNumberOfThreads_WritesTheSameBytes(string dtype)
    {
        using var folder = new TemporaryFolder();
        new SmallLlama { Dtype = dtype, Layers = 5, Shards = 3, Hidden = 40 }.Write(folder["m"]);
        foreach (var criterion in (Criterion[])[Criterion.L1, Criterion.Spectral])
        {
            var options = ByHead with { Balance = new BalanceOptions(criterion) };
            Rescale(folder, "m", $"{criterion}1", options with { Threads = 1 });
            Rescale(folder, "m", $"{criterion}7", options with { Threads = 7 });
            foreach (string name in FileNames(folder[$"{criterion}1"]))
                File.ReadAllBytes(folder[$"{criterion}7", name]).ShouldBe(File.ReadAllBytes(folder[$"{criterion}1", name]), name);
        }
    }

    [Fact]
    public void Rescale_UntouchedTensorWithNotANumber_GoesThroughByteForByte()
    {
        using var folder = new TemporaryFolder();
        var model = new SmallLlama();
        var tensors = model.Tensors();
        byte[] odd = ReferenceFloat.Bytes("F32", [double.NaN, double.PositiveInfinity, double.NegativeInfinity]);
        odd.CopyTo(tensors.Single(tensor => tensor.Name == "model.norm.weight").Bytes, 0);
        tensors.Add(new TestTensor("model.layers.0.mlp.up_proj.scale", "F8_E4M3", [3], [0x7F, 0xFF, 1]));
        tensors.Add(new TestTensor("model.empty", "I64", [0, 3], []));
        tensors.Add(new TestTensor("model.counter", "U64", [], [1, 2, 3, 4, 5, 6, 7, 8]));
        model.Write(folder["m"], tensors);
        Rescale(folder, "m", "out", ByHead);
        var after = TestCheckpoint.Read(folder["out"]);
        foreach (var tensor in tensors.Where(tensor => !tensor.Name.Contains("self_attn", StringComparison.Ordinal)))
            after[tensor.Name].Bytes.ShouldBe(tensor.Bytes, tensor.Name);

        // The same in a tensor that is scaled is refused.
        odd.CopyTo(tensors.Single(tensor => tensor.Name == SmallLlama.Weight(1, "o")).Bytes, 64);
        model.Write(folder["m"], tensors);
        Should
            .Throw<WiscaException>(() => Rescale(folder, "m", "out2", ByHead))
            .Message.ShouldBe("model.safetensors: tensor 'model.layers.1.self_attn.o_proj.weight' holds NaN or infinity at [0, 16]");
        Directory.Exists(folder["out2"]).ShouldBeFalse();

        // Nor does it matter where the layer is left out.
        Rescale(folder, "m", "out3", ByHead with { Layers = new LayerRange("0") });
    }

    /// <summary>The kernel copies long runs of untouched bytes piece by piece.</summary>
    [Fact]
    public void Rescale_LongUntouchedTensor_ArrivesWhole()
    {
        using var folder = new TemporaryFolder();
        var model = new SmallLlama { Layers = 1 };
        var tensors = model.Tensors();
        model.Write(folder["m"], [.. tensors, new TestTensor("z.table", "U8", [0], [])]);

        // 150 MB, nearly all of it a hole in the file, with marks around the ends of the pieces.
        const int length = 150_000_000;
        string path = folder["m", TestCheckpoint.Weights];
        byte[] small = File.ReadAllBytes(path);
        int header = BitConverter.ToInt32(small), data = small.Length - 8 - header;
        string text = System
            .Text.Encoding.UTF8.GetString(small, 8, header)
            .Replace(
                $"\"shape\":[0],\"data_offsets\":[{data},{data}]", $"\"shape\":[{length}],\"data_offsets\":[{data},{data + length}]",
                StringComparison.Ordinal);
        byte[] start = TestCheckpoint.File(text, small[(8 + header)..]);
        int[] marks =
        [
            0, 1, (64 << 20) - start.Length - 1, (64 << 20) - start.Length, (64 << 20) - 1, 64 << 20, (128 << 20) - start.Length, 128 << 20,
            length - 1,
        ];
        using (var stream = File.Create(path))
        {
            stream.Write(start);
            stream.SetLength(start.Length + length);
            foreach (int mark in marks)
            {
                stream.Position = start.Length + mark;
                stream.WriteByte((byte)(mark | 1));
            }
        }

        Rescale(folder, "m", "out", ByHead);
        using var checkpoint = Checkpoint.Open(folder["out"]);
        var table = checkpoint.Find("z.table")!;
        table.Info.ByteLength.ShouldBe(length);
        foreach (int mark in marks) table.Bytes(mark, 1)[0].ShouldBe((byte)(mark | 1), $"{mark}");
        int others = 0;
        for (int piece = 0; piece < length; piece += 10_000_000) others += 10_000_000 - table.Bytes(piece, 10_000_000).Count((byte)0);
        others.ShouldBe(marks.Length);
    }

    [Fact]
    public void Rescale_CrowdedFolder_TakesWhatBelongsToTheModelAlong()
    {
        using var folder = new TemporaryFolder();
        new SmallLlama().Write(folder["m"]);
        File.WriteAllText(folder["m", "tokenizer.json"], "{}");
        Directory.CreateDirectory(folder["m", "sub", "deep"]);
        File.WriteAllBytes(folder["m", "sub", "deep", "vocab.txt"], [1, 2, 3]);
        File.WriteAllText(folder["m", "pytorch_model.bin"], "old weights");
        File.WriteAllText(folder["m", "optimizer.pt"], "old state");
        var result = Rescale(folder, "m", "out", new RescaleOptions());
        result.SideFiles.LeftOut.Select(entry => entry.Path).ShouldBe(["optimizer.pt", "pytorch_model.bin"]);
        Directory
            .EnumerateFiles(folder["out"], "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(folder["out"], path))
            .Order(StringComparer.Ordinal)
            .ShouldBe(["config.json", "model.safetensors", "sub/deep/vocab.txt", "tokenizer.json", "wisca.json"]);
        File.ReadAllBytes(folder["out", "sub", "deep", "vocab.txt"]).ShouldBe([1, 2, 3]);
        result.Ledger!.Files.ShouldBe([
            new("model.safetensors", new FileInfo(folder["m", "model.safetensors"]).Length), new("sub/deep/vocab.txt", 3),
            new("tokenizer.json", 2), new("config.json", new FileInfo(folder["m", "config.json"]).Length),
        ]);
    }

    [Fact]
    public void Ledger_TellsEverything()
    {
        using var folder = new TemporaryFolder();
        new SmallLlama { Biases = true, Layers = 1 }.Write(folder["m"]);
        Rescale(
            folder,
            "m",
            "out",
            new RescaleOptions
            {
                ValueOutput = null,
                QueryKey = Granularity.KvHead,
                Balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo),
            });
        var move = JsonNode.Parse(File.ReadAllText(folder["out", "wisca.json"]))!["moves"]!.AsArray().ShouldHaveSingleItem()!;
        var second = move["groups"]!.AsArray()[1]!;
        (
            (int)second["layer"]!, (string)second["transition"]!, (string)second["granularity"]!, (int)second["kv_head"]!,
            (string)second["outcome"]!
        ).ShouldBe((0, "qk", "kv-head", 1, "scaled"));
        second["norms_before"]!.AsArray().Count.ShouldBe(2);
        second["norms_after"]!.AsArray().Count.ShouldBe(2);
        second["slices"]!.AsArray().Select(slice => $"{slice!["tensor"]} {slice["axis"]} {slice["exponent"]} {slice["indices"]}").ShouldBe(
        [
            "model.layers.0.self_attn.q_proj.weight 0 1 16-31", "model.layers.0.self_attn.q_proj.bias 0 1 16-31",
            "model.layers.0.self_attn.k_proj.weight 0 -1 8-15", "model.layers.0.self_attn.k_proj.bias 0 -1 8-15",
        ]);
        move["tensors"]!
            .AsObject()
            .Select(entry => entry.Key)
            .Order(StringComparer.Ordinal)
            .ShouldBe([
                "model.layers.0.self_attn.k_proj.bias", "model.layers.0.self_attn.k_proj.weight", "model.layers.0.self_attn.q_proj.bias",
                "model.layers.0.self_attn.q_proj.weight",
            ]);
    }

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

    private static string[] FileNames(string folder) =>
        [.. Directory.EnumerateFiles(folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    private static void SameWeightFiles(string expected, string actual)
    {
        foreach (string path in Directory.EnumerateFiles(expected, "*.safetensors"))
            File.ReadAllBytes(Path.Combine(actual, Path.GetFileName(path)))
                .AsSpan()
                .SequenceEqual(File.ReadAllBytes(path))
                .ShouldBeTrue(path);
    }

    private static byte[] Header(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        return bytes[..(8 + BitConverter.ToInt32(bytes))];
    }

    /// <summary>Changes one element of a float32 tensor in place.</summary>
    private static void Edit(string folder, string tensor, int element, Func<float, float> change)
    {
        foreach (string path in Directory.EnumerateFiles(folder, "*.safetensors"))
        {
            byte[] file = File.ReadAllBytes(path);
            int length = BitConverter.ToInt32(file);
            if (JsonNode.Parse(file.AsSpan(8, length))![tensor] is not { } entry) continue;
            var bytes = file.AsSpan(8 + length + (int)entry["data_offsets"]![0]! + (4 * element), 4);
            BitConverter.TryWriteBytes(bytes, change(BitConverter.ToSingle(bytes))).ShouldBeTrue();
            File.WriteAllBytes(path, file);
            return;
        }

        Assert.Fail($"no {tensor}");
    }

    private static TestTensor Constant(TestTensor tensor, double value) =>
        tensor with
        {
            Bytes = ReferenceFloat.Bytes(tensor.Dtype, Enumerable.Repeat(value, tensor.Bytes.Length / 4)),
        };

    /// <summary>For each element of an attention tensor, the channel of a kv head it belongs to; empty for other tensors.</summary>
    private static int[] Channels(SmallLlama model, string name, long[] shape)
    {
        if (!name.Contains("self_attn", StringComparison.Ordinal)) return [];
        string projection = name.Split('.')[4];
        if (projection == "o_proj" && name.EndsWith("bias", StringComparison.Ordinal)) return [];
        int group = model.Heads / model.KvHeads;
        return
        [
            .. Enumerable.Range(0, (int)shape.Aggregate(1L, (a, b) => a * b)).Select(element =>
            {
                int columns = shape.Length == 1 ? 1 : (int)shape[1];
                int channel = projection == "o_proj" ? element % columns : element / columns;
                int head = channel / model.HeadDim;
                return ((projection is "q_proj" or "o_proj" ? head / group : head) * model.HeadDim) + (channel % model.HeadDim);
            }),
        ];
    }

    /// <summary>s of a kv head by the formula, or 1 / s for the side that is divided; biases do not count in the norms.</summary>
    private static double Factor(SmallLlama model, SortedDictionary<string, TestTensor> tensors, string name, int kvHead)
    {
        string projection = name.Split('.')[4][..1], layer = name.Split('.')[2];
        bool queryKey = projection is "q" or "k";
        double multiplied = Norm(queryKey ? "q" : "v"), divided = Norm(queryKey ? "k" : "o");
        double factor = Math.Sqrt(divided / multiplied);
        return projection is "q" or "v" ? factor : 1 / factor;

        double Norm(string side)
        {
            var tensor = tensors[SmallLlama.Weight(int.Parse(layer), side)];
            int[] channels = Channels(model, tensor.Name, tensor.Shape);
            return ReferenceFloat
                .Values(model.Dtype, tensor.Bytes)
                .Where((_, element) => channels[element] / model.HeadDim == kvHead)
                .Sum(Math.Abs);
        }
    }
}
