using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using Wisca.Architectures;
using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Core.Tests.Architectures;
using Wisca.Rescaling;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Certificates;

/// <summary>What the certificate accepts, and every way in which it must not.</summary>
public sealed class CertifierTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<Dtype> StoredTypes => [Dtype.F32, Dtype.F16, Dtype.BF16];

    [Theory]
    [MemberData(nameof(StoredTypes))]
    public void Compare_ExactFactors_ErrorIsThatOfOneRounding(Dtype dtype)
    {
        double unit = Math.ScaleB(1, -dtype.SignificandBits());
        foreach (string name in (string[])["llama, biases", "gpt2", "phi3"])
        {
            var (model, rescaled) = Rescaled(name, dtype, FactorRounding.None);
            using (model)
            using (rescaled)
            {
                for (ulong seed = 0; seed < 5; seed++)
                {
                    var report = Certifier.Compare(model, rescaled, seed);
                    report.Differences.ShouldBeEmpty($"{name} {dtype}");
                    report.Equivalent.ShouldBeTrue();
                    report.ExpectedExact.ShouldBeFalse();
                    report.Layers.ShouldAllBe(layer => layer.Tolerance == 4 * unit);
                    report.QueryKeyError.ShouldBeInRange(unit / 20, 4 * unit);
                    report.ValueOutputError.ShouldBeInRange(unit / 20, 4 * unit);
                }

                Certifier.Compare(rescaled, model).Equivalent.ShouldBeTrue();
                Certifier.Compare(model, rescaled, 1).QueryKeyError.ShouldNotBe(Certifier.Compare(model, rescaled, 2).QueryKeyError);
            }
        }
    }

    [Theory]
    [MemberData(nameof(StoredTypes))]
    public void Compare_PowersOfTwo_ErrorIsExactlyZero(Dtype dtype)
    {
        var (model, rescaled) = Rescaled("llama, biases", dtype, FactorRounding.PowerOfTwo);
        using (model)
        using (rescaled)
        {
            var report = Certifier.Compare(model, rescaled);
            report.ExpectedExact.ShouldBeTrue();
            report.ChangedTensors.ShouldBeGreaterThan(0);
            report.Layers.ShouldAllBe(layer => layer.Tolerance == 0 && layer.QueryKeyError == 0 && layer.ValueOutputError == 0);
            report.Equivalent.ShouldBeTrue();
        }
    }

    [Fact]
    public void Compare_PowersOfTwoWithoutALedger_ErrorIsStillZero()
    {
        var (model, rescaled) = Rescaled("llama", Dtype.BF16, FactorRounding.PowerOfTwo);
        using (model)
        using (rescaled)
        {
            File.Delete(Path.Combine(rescaled.Folder, Ledger.FileName));
            var report = Certifier.Compare(model, rescaled);
            report.ExpectedExact.ShouldBeFalse();
            report.QueryKeyError.ShouldBe(0);
            report.Equivalent.ShouldBeTrue();
        }
    }

    [Theory]
    [InlineData("llama, biases", FactorRounding.None)]
    [InlineData("llama, biases", FactorRounding.PowerOfTwo)]
    [InlineData("gpt2", FactorRounding.None)]
    [InlineData("phi3", FactorRounding.PowerOfTwo)]
    [InlineData("qwen3", FactorRounding.PowerOfTwo)]
    public void Compare_OneByteChangedInAnyTensor_NamesTheTensor(string name, FactorRounding rounding)
    {
        // Whatever the tensor (embedding, gains, MLP, output bias, buffers,
        // a projection whose exchange is refused), and whatever the place.
        var (model, rescaled) = Rescaled(name, Dtype.F32, rounding);
        using (model)
        using (rescaled)
        {
            var random = new Random(7);
            foreach (var tensor in model.Tensors)
            {
                int at = random.Next((int)tensor.Info.ByteLength / 4) * 4;

                // The sign and half of the exponent: a large change wherever it is.
                Check(tensor.Info.Name, bytes => bytes[at + 3] ^= 0xC1);
                bool slice = rescaled.Find(tensor.Info.Name)!.Bytes(0, (int)tensor.Info.ByteLength)
                    .SequenceEqual(tensor.Bytes(0, (int)tensor.Info.ByteLength)) is false;
                if (!slice || rounding == FactorRounding.PowerOfTwo) Check(tensor.Info.Name, bytes => bytes[at] ^= 1);
            }

            void Check(string tensor, Action<byte[]> edit)
            {
                string copy = _folder[$"{Path.GetRandomFileName()}"];
                WeightEditor.Copy(rescaled.Folder, copy);
                WeightEditor.Edit(copy, tensor, edit);
                using var changed = Checkpoint.Open(copy);
                var report = Certifier.Compare(model, changed);
                report.Equivalent.ShouldBeFalse(tensor);
                report.Differences.ShouldContain(
                    difference => difference.Contains($"'{tensor}'"),
                    $"{tensor}: {string.Join("; ", report.Differences)}");
            }
        }
    }

    [Theory]
    [InlineData(Dtype.F32, 5)]
    [InlineData(Dtype.BF16, 5)]
    [InlineData(Dtype.F16, 5)]
    public void Compare_OneElementOfASliceOffByAFewUnits_IsFoundThoughProbesDoNotSeeIt(Dtype dtype, int units)
    {
        // One element among 64 x 256 of a projection; probes see it diluted by all the others.
        var family = TinyFamilies.ByName["llama, biases"] with { Hidden = 256, HeadDim = 64, RotaryDims = 64, Layers = 1 };
        var (model, rescaled) = Rescaled(family, dtype, FactorRounding.None);
        using (model)
        using (rescaled)
        {
            foreach (string projection in (string[])[family.Q, family.K, family.V, family.O])
            {
                string tensor = $"model.layers.0.{projection}.weight", copy = _folder[$"{projection}"];
                const int element = (70 * 256) + 3;
                WeightEditor.Copy(rescaled.Folder, copy);
                WeightEditor.Nudge(copy, tensor, element, units, dtype);
                using var changed = Checkpoint.Open(copy);
                var report = Certifier.Compare(model, changed);
                report.Layers[0].Holds.ShouldBeTrue();
                report.Equivalent.ShouldBeFalse();
                report.Differences.ShouldHaveSingleItem().ShouldStartWith($"tensor '{tensor}' at [70, 3] is ");
            }
        }
    }

    [Fact]
    public void Compare_BiasThatDidNotFollowItsRow_IsNamed()
    {
        var (model, rescaled) = Rescaled("llama, biases", Dtype.F32, FactorRounding.None);
        using (model)
        using (rescaled)
        {
            foreach (string bias in (string[])["q_proj", "k_proj", "v_proj"])
            {
                string tensor = $"model.layers.1.self_attn.{bias}.bias", copy = _folder[bias];
                WeightEditor.Copy(rescaled.Folder, copy);
                WeightEditor.Nudge(copy, tensor, 5, 40, Dtype.F32);
                using var changed = Checkpoint.Open(copy);
                Certifier.Compare(model, changed).Differences.ShouldHaveSingleItem().ShouldStartWith($"tensor '{tensor}' at [5] is ");
            }
        }
    }

    [Fact]
    public void Compare_AnyConfigurationKeyChanged_NamesTheKey()
    {
        var family = TinyFamilies.ByName["llama"];
        using var model = TinyCheckpoint.Create(
            family with
            {
                Config =
                    family.Config
                    + ",'rope_theta':10000.0,'rope_scaling':{'factor':8.0},'rms_norm_eps':1e-6,'hidden_act':'silu'"
                    + ",'tie_word_embeddings':false",
            },
            _folder["model"],
            Dtype.F32);
        var config = JsonNode.Parse(File.ReadAllText(_folder["model", "config.json"]))!.AsObject();
        foreach (var (key, value) in config)
        {
            string copy = _folder[key];
            WeightEditor.Copy(model.Folder, copy);
            var changed = config.DeepClone().AsObject();
            changed[key] = value!.GetValueKind() switch
            {
                System.Text.Json.JsonValueKind.Number => value.GetValue<double>() + 1,
                System.Text.Json.JsonValueKind.False => true,
                System.Text.Json.JsonValueKind.Object => JsonNode.Parse("""{ "factor": 4.0 }"""),
                _ => "another",
            };
            File.WriteAllText(Path.Combine(copy, "config.json"), changed.ToJsonString());
            using var other = Checkpoint.Open(copy);
            var report = Certifier.Compare(model, other);
            report.Equivalent.ShouldBeFalse();
            report.Differences.ShouldBe([$"config.json differs at '{key}'"]);
        }

        string renamed = _folder["renamed"];
        WeightEditor.Copy(model.Folder, renamed);
        config["_name_or_path"] = "elsewhere";
        config["torch_dtype"] = "float32";
        config["transformers_version"] = "9.9";
        config["use_cache"] = false;
        File.WriteAllText(Path.Combine(renamed, "config.json"), config.ToJsonString());
        using var same = Checkpoint.Open(renamed);
        Certifier.Compare(model, same).Equivalent.ShouldBeTrue();
    }

    [Theory]
    [InlineData(PairKind.Half)]
    [InlineData(PairKind.Interleaved)]
    public void Compare_RotatedChannelsScaledOneByOne_FailsByAWideMargin(PairKind pairs)
    {
        // Exact without RoPE: each channel of q against the same channel of k. Under RoPE the two channels of a pair mix.
        var family = TinyFamilies.ByName["llama"] with
        {
            ModelType = pairs == PairKind.Half ? "llama" : "helium", Pairs = pairs, Hidden = 32, HeadDim = 16, RotaryDims = 16, Layers = 1,
            Config = TinyFamilies.ByName["helium"].Config,
        };
        using var model = TinyCheckpoint.Create(family, _folder["model"], Dtype.F32);
        foreach (int channel in (int[])[0, 5, 15])
        {
            string copy = _folder[$"channel-{channel}"];
            WeightEditor.Copy(model.Folder, copy);
            WeightEditor.Scale(copy, "model.layers.0.self_attn.q_proj.weight", 64, 32, (row, _) => row % 16 == channel ? 2 : 1);
            WeightEditor.Scale(copy, "model.layers.0.self_attn.k_proj.weight", 32, 32, (row, _) => row % 16 == channel ? 0.5 : 1);
            using var changed = Checkpoint.Open(copy);
            for (ulong seed = 0; seed < 5; seed++)
            {
                var report = Certifier.Compare(model, changed, seed);
                report.Layers[0].QueryKeyError!.Value.ShouldBeGreaterThan(0.01);
                report.Layers[0].ValueOutputError.ShouldBe(0);
                report.Differences.ShouldHaveSingleItem().ShouldContain("RoPE rotates channels");
            }
        }

        // The same factor on both channels of a pair is exact.
        string paired = _folder["paired"];
        int Pair(int row) => pairs == PairKind.Half ? row % 8 : row % 16 / 2;
        WeightEditor.Copy(model.Folder, paired);
        WeightEditor.Scale(paired, "model.layers.0.self_attn.q_proj.weight", 64, 32, (row, _) => Pair(row) == 5 ? 2 : 1);
        WeightEditor.Scale(paired, "model.layers.0.self_attn.k_proj.weight", 32, 32, (row, _) => Pair(row) == 5 ? 0.5 : 1);
        using var exact = Checkpoint.Open(paired);
        Certifier.Compare(model, exact).Equivalent.ShouldBeTrue();
    }

    /// <summary>
    /// Stored [in, out], one matrix holds what an exchange scales (the first two thirds of its columns) and what none does: rows and
    /// columns have the same numbers, and it is the column that decides.
    /// </summary>
    [Fact]
    public void Compare_ColumnThatNoExchangeScales_IsNamed()
    {
        string json = TestRepository.ReadText("src", "Wisca.Core", "Architectures", "Tables", "gpt2.json").Replace(
            "\"refuse\": []", "\"refuse\": [{ \"reason\": \"values are not linear\", \"transitions\": [\"vo\"] }]",
            StringComparison.Ordinal);
        var table = ArchitectureTable.Parse(Encoding.UTF8.GetBytes(json), "own.json");
        using var model = TinyCheckpoint.Create(TinyFamilies.ByName["gpt2"], _folder["model"], Dtype.F32);
        const string fused = "transformer.h.1.attn.c_attn.weight";
        const int rows = 16, columns = 48, queryAndKey = 32;
        foreach (int row in (int[])[0, 3, rows - 1])
        {
            foreach (int column in (int[])[queryAndKey, columns - 1])
            {
                string copy = _folder[$"{row}-{column}"];
                WeightEditor.Copy(model.Folder, copy);
                WeightEditor.Nudge(copy, fused, (row * columns) + column, 1, Dtype.F32);
                using var changed = Checkpoint.Open(copy);
                Certifier.Compare(model, changed, table: table).Differences.ShouldHaveSingleItem()
                    .ShouldBe($"tensor '{fused}' differs in column {column}, which no exact transition scales");
            }
        }

        // What the table does allow.
        WeightEditor.Copy(model.Folder, _folder["moved"]);
        WeightEditor.Scale(_folder["moved"], fused, rows, columns, (_, column) => column < 16 ? 2 : column < queryAndKey ? 0.5 : 1);
        WeightEditor.Scale(
            _folder["moved"], "transformer.h.1.attn.c_attn.bias", 1, columns,
            (_, column) => column < 16 ? 2 : column < queryAndKey ? 0.5 : 1);
        using var moved = Checkpoint.Open(_folder["moved"]);
        var report = Certifier.Compare(model, moved, table: table);
        report.Differences.ShouldBeEmpty();
        report.ChangedTensors.ShouldBe(2);
    }

    [Fact]
    public void Compare_FactorsThatDoNotCancel_NamesHeadAndChannel()
    {
        // One channel of many is off by 3 %: less than what probes of bfloat16 weights could tell.
        var family = TinyFamilies.ByName["gpt_neo"] with { Hidden = 128, HeadDim = 32, Layers = 1 };
        using var model = TinyCheckpoint.Create(family, _folder["model"], Dtype.BF16);
        WeightEditor.Copy(model.Folder, _folder["off"]);
        WeightEditor.Edit(_folder["off"], "transformer.h.0.attn.attention.k_proj.weight", bytes =>
        {
            var row = MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan()).Slice(45 * 128, 128);
            foreach (ref ushort element in row)
            {
                float value = BitConverter.UInt32BitsToSingle((uint)element << 16) * 1.03f;
                element = (ushort)((BitConverter.SingleToUInt32Bits(value) + 0x8000) >> 16);
            }
        });
        using var off = Checkpoint.Open(_folder["off"]);
        var report = Certifier.Compare(model, off);
        report.Layers[0].Holds.ShouldBeTrue();
        report.Equivalent.ShouldBeFalse();
        report.Differences.ShouldHaveSingleItem().ShouldContain("head 1, channel 13 do not cancel");
    }

    [Fact]
    public void Compare_PermutedHeads_AreNotAnExchange()
    {
        // Swapping two query heads together with their output columns leaves the function as it is, but is nothing that wisca does.
        var family = TinyFamilies.ByName["llama"];
        using var model = TinyCheckpoint.Create(family, _folder["model"], Dtype.F32);
        WeightEditor.Copy(model.Folder, _folder["swapped"]);
        for (int layer = 0; layer < 2; layer++)
        {
            WeightEditor.Edit(_folder["swapped"], $"model.layers.{layer}.self_attn.q_proj.weight", bytes => SwapRows(bytes, 4 * 16 * 4));
            WeightEditor.Edit(_folder["swapped"], $"model.layers.{layer}.self_attn.o_proj.weight", bytes => SwapColumns(bytes));
        }

        using var swapped = Checkpoint.Open(_folder["swapped"]);
        AttentionOracle
            .RelativeError(AttentionOracle.Outputs(family, model), AttentionOracle.Outputs(family, swapped))
            .ShouldBeLessThan(1e-12);
        Certifier.Compare(model, swapped).Equivalent.ShouldBeFalse();

        // Without the output columns the function breaks as well.
        WeightEditor.Copy(model.Folder, _folder["broken"]);
        WeightEditor.Edit(_folder["broken"], "model.layers.0.self_attn.q_proj.weight", bytes => SwapRows(bytes, 4 * 16 * 4));
        using var broken = Checkpoint.Open(_folder["broken"]);
        var report = Certifier.Compare(model, broken);
        report.QueryKeyError.ShouldBeGreaterThan(0.1);
        report.Differences.ShouldHaveSingleItem().ShouldContain("q_proj");

        static void SwapRows(byte[] bytes, int head)
        {
            byte[] first = bytes[..head];
            bytes.AsSpan(head, head).CopyTo(bytes);
            first.CopyTo(bytes, head);
        }

        static void SwapColumns(byte[] bytes)
        {
            var elements = MemoryMarshal.Cast<byte, float>(bytes.AsSpan());
            for (int row = 0; row < 16; row++)
            {
                for (int c = 0; c < 4; c++)
                    (elements[(row * 16) + c], elements[(row * 16) + 4 + c]) = (elements[(row * 16) + 4 + c], elements[(row * 16) + c]);
            }
        }
    }

    [Fact]
    public void Compare_NaNInOneHead_IsNotEquivalent()
    {
        var (model, rescaled) = Rescaled("llama", Dtype.F32, FactorRounding.None);
        using (model)
        using (rescaled)
        {
            foreach (string projection in (string[])["q_proj", "k_proj", "v_proj", "o_proj"])
            {
                string tensor = $"model.layers.0.self_attn.{projection}.weight", copy = _folder[projection];
                WeightEditor.Copy(rescaled.Folder, copy);
                WeightEditor.Edit(copy, tensor, bytes => MemoryMarshal.Cast<byte, float>(bytes.AsSpan())[1] = float.NaN);
                using var broken = Checkpoint.Open(copy);
                var report = Certifier.Compare(model, broken);
                report.Equivalent.ShouldBeFalse(projection);
                report.Layers[0].Holds.ShouldBeFalse(projection);
                Math.Max(report.QueryKeyError, report.ValueOutputError).ShouldBe(double.NaN, projection);
            }
        }
    }

    [Fact]
    public void Compare_TypesShapesAndNames_MustBeTheSame()
    {
        var family = TinyFamilies.ByName["llama"];
        using var model = TinyCheckpoint.Create(family, _folder["model"], Dtype.F32);
        using var narrow = TinyCheckpoint.Create(family, _folder["narrow"], Dtype.BF16);
        Certifier.Compare(model, narrow).Differences.ShouldContain("tensor 'embedding.weight' is F32 in the first and BF16 in the second");
        using var more =
            TinyCheckpoint.Create(family with { Others = [.. family.Others, "mlp.down_proj.bias:D"] }, _folder["more"], Dtype.F32);
        Certifier.Compare(model, more).Differences.ShouldContain("tensor 'model.layers.0.mlp.down_proj.bias' is only in the second");
        Certifier.Compare(more, model).Differences.ShouldContain("tensor 'model.layers.0.mlp.down_proj.bias' is only in the first");
        using var wide = TinyCheckpoint.Create(family with { Others = ["mlp.down_proj.bias:F"] }, _folder["wide"], Dtype.F32);
        using var wider = TinyCheckpoint.Create(family with { Others = ["mlp.down_proj.bias:D"] }, _folder["wider"], Dtype.F32);
        Certifier
            .Compare(wide, wider)
            .Differences.ShouldContain("tensor 'model.layers.0.mlp.down_proj.bias' is [20] in the first and [16] in the second");
    }

    [Fact]
    public void Compare_TheSameTensorsInOtherShards_AreEquivalent()
    {
        var (model, rescaled) = Rescaled("llama", Dtype.F32, FactorRounding.None);
        using (model)
        using (rescaled)
        {
            Directory.CreateDirectory(_folder["sharded"]);
            File.Copy(Path.Combine(rescaled.Folder, "config.json"), _folder["sharded", "config.json"]);
            var map = new JsonObject();
            int shard = 0;
            foreach (var part in rescaled.Tensors.Reverse().Chunk(5))
            {
                string file = $"part-{shard++}.safetensors";
                using var writer = new SafetensorsWriter(_folder["sharded", file],
                    SafetensorsHeader.Create(part.Select(tensor => (tensor.Info.Name, tensor.Info.Dtype, tensor.Info.Shape.ToArray()))));
                foreach (var tensor in part)
                {
                    map[tensor.Info.Name] = file;
                    writer.Write(tensor.Bytes(0, (int)tensor.Info.ByteLength));
                }

                writer.Complete();
            }

            shard.ShouldBeGreaterThan(2);
            File.WriteAllText(_folder["sharded", Checkpoint.IndexName], new JsonObject { ["weight_map"] = map }.ToJsonString());
            using var sharded = Checkpoint.Open(_folder["sharded"]);
            Certifier.Compare(model, sharded).Equivalent.ShouldBeTrue();
            Certifier.Compare(rescaled, sharded).ChangedTensors.ShouldBe(0);
        }
    }

    [Fact]
    public void Compare_AnotherTieInTheMetadata_IsNamed()
    {
        string config = TinyFamilies.ByName["llama"].ConfigJson();
        using var source = TinyCheckpoint.Create(TinyFamilies.ByName["llama"], _folder["source"], Dtype.F32);
        using var tied = WithMetadata("tied", new() { ["format"] = "pt", ["lm_head.weight"] = "embedding.weight" });
        using var same = WithMetadata("same", new() { ["format"] = "np", ["lm_head.weight"] = "embedding.weight" });
        using var untied = WithMetadata("untied", []);
        Certifier.Compare(tied, same).Equivalent.ShouldBeTrue();
        Certifier.Compare(tied, untied).Differences.ShouldHaveSingleItem()
            .ShouldBe("metadata: 'lm_head.weight' is tied to embedding.weight in the first and to nothing in the second");

        Checkpoint WithMetadata(string name, Dictionary<string, string> metadata)
        {
            Directory.CreateDirectory(_folder[name]);
            File.WriteAllText(_folder[name, "config.json"], config);
            using (var writer = new SafetensorsWriter(
                _folder[name, Checkpoint.WeightsName],
                    SafetensorsHeader.Create(
                        source.Tensors.Select(tensor => (tensor.Info.Name, tensor.Info.Dtype, tensor.Info.Shape.ToArray())),
                        metadata)))
            {
                foreach (var tensor in source.Tensors) writer.Write(tensor.Bytes(0, (int)tensor.Info.ByteLength));
                writer.Complete();
            }

            return Checkpoint.Open(_folder[name]);
        }
    }

    [Fact]
    public void Compare_PackedProjections_NeedTheSameBytes()
    {
        var family = TinyFamilies.ByName["llama"] with { Q = "self_attn.q_proj.packed", V = "self_attn.v_proj.packed" };
        using var model = TinyCheckpoint.Create(family, _folder["model"], Dtype.F32);
        using var same = TinyCheckpoint.Create(family, _folder["same"], Dtype.F32);
        using var other = TinyCheckpoint.Create(family, _folder["other"], Dtype.F32, seed: 2);
        var report = Certifier.Compare(model, same);
        report.Equivalent.ShouldBeTrue();
        report.Layers.ShouldAllBe(layer => layer.QueryKeyError == null && layer.ValueOutputError == null);
        Certifier.Compare(model, other).Differences.ShouldContain("tensor 'model.layers.0.self_attn.k_proj.weight' differs");
    }

    [Fact]
    public void Compare_RoundedMovesThenPowersOfTwo_IsNotExpectedToBeExact()
    {
        // The undone model has no move left in its ledger, and is the original but for rounding; a power-of-two move starts from there.
        var (model, rescaled) = Rescaled("llama", Dtype.F32, FactorRounding.None);
        using (model)
        using (rescaled)
        {
            Undoer.Undo(rescaled, _folder["undone"]).RoundedTensors.ShouldNotBeEmpty();
            using var undone = Checkpoint.Open(_folder["undone"]);
            Rescaler.Rescale(undone, _folder["again"], Options(FactorRounding.PowerOfTwo));
            using var again = Checkpoint.Open(_folder["again"]);
            Certifier.Compare(undone, again).ExpectedExact.ShouldBeTrue();
            var report = Certifier.Compare(model, again);
            report.ExpectedExact.ShouldBeFalse();
            report.Differences.ShouldBeEmpty();
            report.Equivalent.ShouldBeTrue();
        }
    }

    [Fact]
    public void Compare_TwoBranchesAndManyMoves_AreEquivalent()
    {
        using var model = TinyCheckpoint.Create(TinyFamilies.ByName["llama"], _folder["model"], Dtype.BF16);
        string latest = model.Folder;
        Criterion[] criteria = [Criterion.L1, Criterion.L2, Criterion.L1Mean, Criterion.Rms, Criterion.Spectral, Criterion.L1];
        for (int i = 0; i < criteria.Length; i++)
        {
            using var current = Checkpoint.Open(latest);
            Rescaler.Rescale(current, _folder[$"move-{i}"], Options(FactorRounding.None) with
            {
                Balance = new BalanceOptions(criteria[i], FactorRounding.None),
            });
            latest = _folder[$"move-{i}"];
        }

        using var moved = Checkpoint.Open(latest);
        using var early = Checkpoint.Open(_folder["move-1"]);
        var report = Certifier.Compare(model, moved);
        report.Differences.ShouldBeEmpty();
        report.Equivalent.ShouldBeTrue();

        Rescaler.Rescale(model, _folder["branch"], Options(FactorRounding.PowerOfTwo));
        using var branch = Checkpoint.Open(_folder["branch"]);
        Certifier.Compare(early, branch).Equivalent.ShouldBeTrue();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Compare_SaturatedElement_IsNamed(bool backwards)
    {
        // Float16, one value near the largest that there is: another program saturated it, and the function is no longer the same.
        var family = TinyFamilies.ByName["llama"] with { Layers = 1 };
        using (TinyCheckpoint.Create(family, _folder["model"], Dtype.F16))
        {
        }

        const string value = "model.layers.0.self_attn.v_proj.weight", output = "model.layers.0.self_attn.o_proj.weight";
        WeightEditor.Edit(_folder["model"], value, bytes =>
        {
            MemoryMarshal.Cast<byte, Half>(bytes.AsSpan()).Fill((Half)1);
            MemoryMarshal.Cast<byte, Half>(bytes.AsSpan())[5] = (Half)40000;
        });
        WeightEditor.Edit(_folder["model"], output, bytes => MemoryMarshal.Cast<byte, Half>(bytes.AsSpan()).Fill((Half)4096));
        WeightEditor.Copy(_folder["model"], _folder["saturated"]);
        WeightEditor.Edit(_folder["saturated"], value, bytes =>
        {
            MemoryMarshal.Cast<byte, Half>(bytes.AsSpan()).Fill((Half)8);
            MemoryMarshal.Cast<byte, Half>(bytes.AsSpan())[5] = Half.MaxValue;
        });
        WeightEditor.Edit(_folder["saturated"], output, bytes => MemoryMarshal.Cast<byte, Half>(bytes.AsSpan()).Fill((Half)512));
        using var model = Checkpoint.Open(_folder["model"]);
        using var saturated = Checkpoint.Open(_folder["saturated"]);
        var report = backwards ? Certifier.Compare(saturated, model) : Certifier.Compare(model, saturated);
        report.Equivalent.ShouldBeFalse();
        report.Differences.ShouldHaveSingleItem().ShouldStartWith("layer 0: the V-O factors of head 0, channel 0 do not cancel: ");
    }

    [Fact]
    public void Compare_ChannelsOfZeros_AreNoObstacle()
    {
        var family = TinyFamilies.ByName["gpt_neo"];
        using (TinyCheckpoint.Create(family, _folder["model"], Dtype.F32))
        {
        }

        WeightEditor.Scale(_folder["model"], "transformer.h.0.attn.attention.q_proj.weight", 16, 16, (row, _) => row == 6 ? 0 : 1);
        WeightEditor.Scale(_folder["model"], "transformer.h.1.attn.attention.out_proj.weight", 16, 16, (_, column) => column == 9 ? 0 : 1);
        using var model = Checkpoint.Open(_folder["model"]);
        Rescaler.Rescale(
            model,
            _folder["out"],
            Options(FactorRounding.None) with
            {
                QueryKey = Granularity.KvHead,
                ValueOutput = Granularity.KvHead,
            });
        using var rescaled = Checkpoint.Open(_folder["out"]);
        Certifier.Compare(model, rescaled).Equivalent.ShouldBeTrue();

        // An element where all were zero is a difference all the same.
        WeightEditor.Copy(rescaled.Folder, _folder["grown"]);
        WeightEditor.Edit(_folder["grown"], "transformer.h.0.attn.attention.q_proj.weight", bytes =>
            MemoryMarshal.Cast<byte, float>(bytes.AsSpan())[(6 * 16) + 2] = 1e-3f);
        using var grown = Checkpoint.Open(_folder["grown"]);
        Certifier
            .Compare(model, grown)
            .Differences.ShouldHaveSingleItem()
            .ShouldContain("at [6, 2] is 0.00100000005 where row 6 of the first is all zeros");
    }

    [Fact]
    public void Compare_ProgressAndCancellation_AreHeard()
    {
        var (model, rescaled) = Rescaled("llama", Dtype.F32, FactorRounding.None);
        using (model)
        using (rescaled)
        {
            var shares = new List<double>();
            Certifier.Compare(model, rescaled, threads: 1, progress: new Listener(shares));
            shares.ShouldBeInOrder();
            shares[^1].ShouldBe(1, 1e-12);
            Should.Throw<OperationCanceledException>(() => Certifier.Compare(model, rescaled, cancellation: new CancellationToken(true)));
        }
    }

    private sealed class Listener(List<double> shares) : IProgress<double>
    {
        public void Report(double value) => shares.Add(value);
    }

    private static RescaleOptions Options(FactorRounding rounding) =>
        new() { QueryKey = Granularity.Pair, ValueOutput = Granularity.Channel, Balance = new BalanceOptions(Rounding: rounding) };

    private (Checkpoint Model, Checkpoint Rescaled) Rescaled(string family, Dtype dtype, FactorRounding rounding) =>
        Rescaled(TinyFamilies.ByName[family], dtype, rounding);

    private (Checkpoint Model, Checkpoint Rescaled) Rescaled(TinyFamily family, Dtype dtype, FactorRounding rounding)
    {
        string folder = _folder[Path.GetRandomFileName()];
        var model = TinyCheckpoint.Create(family, folder, dtype);
        Rescaler.Rescale(model, folder + "-out", Options(rounding));
        return (model, Checkpoint.Open(folder + "-out"));
    }
}
