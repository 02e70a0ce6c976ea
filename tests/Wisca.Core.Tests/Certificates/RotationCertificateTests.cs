using System.Runtime.InteropServices;
using Wisca.Architectures;
using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Core.Tests.Architectures;
using Wisca.Core.Tests.Rotations;
using Wisca.Rescaling;
using Wisca.Rotations;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Certificates;

/// <summary>The certificate of rotated models: right ones hold in either direction without a ledger, and each fault is named.</summary>
public sealed class RotationCertificateTests : IDisposable
{
    private const string NeoxPath = "gpt_neox.layers.0.";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<Dtype, BasisSource?, BasisSource?, GainPolicy, bool> Right()
    {
        var cases = new TheoryData<Dtype, BasisSource?, BasisSource?, GainPolicy, bool>();
        foreach (var dtype in (Dtype[])[Dtype.F64, Dtype.F32, Dtype.BF16, Dtype.F16])
        {
            foreach (bool layerNorm in (bool[])[false, true])
            {
                cases.Add(dtype, BasisSource.Random, null, GainPolicy.Follow, layerNorm);
                cases.Add(dtype, BasisSource.Random, BasisSource.Random, GainPolicy.Fold, layerNorm);
                cases.Add(dtype, BasisSource.Weights, BasisSource.Weights, GainPolicy.Follow, layerNorm);
                cases.Add(dtype, null, BasisSource.Random, GainPolicy.Follow, layerNorm);
                cases.Add(dtype, null, BasisSource.Balanced, GainPolicy.Follow, layerNorm);
                cases.Add(dtype, BasisSource.Random, BasisSource.Balanced, GainPolicy.Follow, layerNorm);
            }

            cases.Add(dtype, BasisSource.Hadamard, BasisSource.Hadamard, GainPolicy.Follow, false);
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Right))]
    public void Compare_RotatedModel_IsEquivalentBothWaysWithAndWithoutItsLedger(
        Dtype dtype, BasisSource? stream, BasisSource? heads, GainPolicy gains, bool layerNorm)
    {
        for (ulong seed = 0; seed < 3; seed++)
        {
            string at = _folder[$"{seed}"];
            new StreamModel(tied: false, layerNorm).Write(at, dtype);
            using var model = Checkpoint.Open(at);
            Rotator.Rotate(model, at + "-rotated", new RotateOptions { Stream = stream, Heads = heads, Gains = gains, Seed = seed });
            using var rotated = Checkpoint.Open(at + "-rotated");
            WithoutLedger(at + "-rotated", at + "-bare");
            using var bare = Checkpoint.Open(at + "-bare");
            foreach (var (a, b) in ((Checkpoint, Checkpoint)[])[(model, rotated), (rotated, model), (model, bare), (bare, model)])
            {
                var report = Certifier.Compare(a, b);
                report.Differences.ShouldBeEmpty($"seed {seed}: {a.Folder} and {b.Folder}");
                report.Equivalent.ShouldBeTrue();
                var rotation = report.Rotation.ShouldNotBeNull();
                rotation.Spaces.Contains("stream").ShouldBe(stream is not null);
                rotation.Spaces.Contains("layers.1.vo.0").ShouldBe(heads is not null);
                if (stream is null) continue;
                rotation.StreamTensors.ShouldBeGreaterThan(10);
                rotation.StreamError.ShouldBeInRange(0, rotation.StreamTolerance);
            }
        }
    }

    /// <summary>Factors of MLPs and norms, and a basis, in one certificate: whichever came first.</summary>
    [Theory]
    [InlineData(Dtype.F64, true)]
    [InlineData(Dtype.F64, false)]
    [InlineData(Dtype.F32, true)]
    [InlineData(Dtype.F32, false)]
    [InlineData(Dtype.BF16, true)]
    [InlineData(Dtype.BF16, false)]
    public void Compare_RotatedAndRescaledMlpsAndNorms_IsEquivalentWithAndWithoutItsLedger(Dtype dtype, bool rotatedFirst)
    {
        using var model = TurnedAndScaled(dtype, rotatedFirst, FactorRounding.None);
        using var second = Checkpoint.Open(_folder["2"]);
        using var bare = Checkpoint.Open(_folder["bare"]);
        foreach (var (a, b) in ((Checkpoint, Checkpoint)[])[(model, second), (second, model), (model, bare), (bare, model)])
        {
            var report = Certifier.Compare(a, b);
            report.Differences.ShouldBeEmpty($"{a.Folder} and {b.Folder}");
            report.Rotation.ShouldNotBeNull().Spaces.ShouldContain("stream");
            report.Scaled.ShouldContain("model.layers.0.mlp.hidden");
            report.Scaled.ShouldContain("model.layers.1.mlp.hidden");
        }
    }

    /// <summary>One element of any tensor, a reader or a writer that did not follow, a gain that its readers deny.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Compare_RotatedAndRescaledWithAFault_IsNotEquivalent(bool rotatedFirst)
    {
        using var model = TurnedAndScaled(Dtype.F64, rotatedFirst, FactorRounding.PowerOfTwo);
        using var bare = Checkpoint.Open(_folder["bare"]);
        Certifier.Compare(model, bare).Differences.ShouldBeEmpty();
        int faults = 0;
        foreach (var tensor in bare.Tensors)
        {
            string name = tensor.Info.Name;
            Fault(name, values => values[values.Length / 2] *= 1 + 1e-6);
            if (name.Contains("norm")) Fault(name, values => values[3] *= 2);
            int columns = (int)tensor.Info.Shape[^1];

            // A hidden channel of one side alone: a row of what writes it, a column of what reads it.
            if (name.Contains("up_proj")) Fault(name, values => Scale(values, Enumerable.Range(columns * 2, columns), 2));
            if (name.Contains("down_proj"))
                Fault(name, values => Scale(values, Enumerable.Range(0, values.Length / columns).Select(row => (row * columns) + 2), 0.5));
        }

        faults.ShouldBeGreaterThan(20);

        void Fault(string tensor, Action<double[]> edit)
        {
            string folder = _folder[$"fault-{faults++}"];
            double[] values = new TurnPlan(bare).All(tensor);
            edit(values);
            WeightEditor.Copy(bare.Folder, folder);
            WeightEditor.Edit(folder, tensor, bytes => MemoryMarshal.AsBytes<double>(values).CopyTo(bytes));
            using var fault = Checkpoint.Open(folder);
            Certifier.Compare(model, fault).Equivalent.ShouldBeFalse(tensor);
        }

        static void Scale(double[] values, IEnumerable<int> indices, double factor)
        {
            foreach (int index in indices) values[index] *= factor;
        }
    }

    /// <summary>The model; beside it "2", rotated and rescaled, and "bare", the same without its ledger.</summary>
    private Checkpoint TurnedAndScaled(Dtype dtype, bool rotatedFirst, FactorRounding rounding)
    {
        new StreamModel(tied: false, layerNorm: false).Write(_folder["0"], dtype);
        string last = _folder["0"];
        foreach (bool rotate in (bool[])[rotatedFirst, !rotatedFirst])
        {
            using var before = Checkpoint.Open(last);
            last = last == _folder["0"] ? _folder["1"] : _folder["2"];
            if (rotate) Rotator.Rotate(before, last, new RotateOptions { Stream = BasisSource.Random, Seed = 6 });
            else
            {
                Rescaler.Rescale(
                    before, last,
                    new RescaleOptions
                    {
                        QueryKey = null,
                        ValueOutput = null,
                        Mlp = Granularity.Channel,
                        Norms = Granularity.Channel,
                        Balance = new BalanceOptions(Rounding: rounding),
                    });
            }
        }

        WithoutLedger(_folder["2"], _folder["bare"]);
        return Checkpoint.Open(_folder["0"]);
    }

    [Theory]
    [InlineData(Dtype.F64)]
    [InlineData(Dtype.F32)]
    [InlineData(Dtype.BF16)]
    public void Compare_RotatedRescaledAndRotatedAgain_IsEquivalent(Dtype dtype)
    {
        new StreamModel(tied: false, layerNorm: false).Write(_folder["0"], dtype);
        using var model = Checkpoint.Open(_folder["0"]);
        Rotator.Rotate(model, _folder["1"], new RotateOptions { Stream = BasisSource.Random, Heads = BasisSource.Random, Seed = 1 });
        using var first = Checkpoint.Open(_folder["1"]);
        Rescaler.Rescale(first, _folder["2"], new RescaleOptions { QueryKey = Granularity.Pair, ValueOutput = Granularity.Channel });
        using var second = Checkpoint.Open(_folder["2"]);
        Rotator.Rotate(second, _folder["3"], new RotateOptions { Stream = BasisSource.Weights, Heads = BasisSource.Random, Seed = 2 });
        using var third = Checkpoint.Open(_folder["3"]);
        Undoer.Undo(third, _folder["4"]);
        using var undone = Checkpoint.Open(_folder["4"]);
        foreach (var (a, b) in ((Checkpoint, Checkpoint)[])
            [(model, first), (model, second), (model, third), (first, second), (third, second), (undone, model), (undone, third)])
            Certifier.Compare(a, b).Differences.ShouldBeEmpty($"{a.Folder} and {b.Folder}");
    }

    [Theory]
    [InlineData(Dtype.F64)]
    [InlineData(Dtype.BF16)]
    public void Compare_TiedModel_HoldsWithItsUniformGainAndNotWithAnother(Dtype dtype)
    {
        new StreamModel(tied: true, layerNorm: false, uniformGain: true).Write(_folder["0"], dtype);
        using var model = Checkpoint.Open(_folder["0"]);
        Rotator.Rotate(model, _folder["1"], new RotateOptions { Stream = BasisSource.Random });
        using var rotated = Checkpoint.Open(_folder["1"]);
        Certifier.Compare(model, rotated).Equivalent.ShouldBeTrue();
        Named(model, Changed(rotated, "uneven", dtype, "model.norm.weight", values => values[3] = 1.25), "model.norm.weight", "channel 3");
        Named(
            model, Changed(rotated, "other", dtype, "model.norm.weight", values => Array.Fill(values, 1.25)), "model.norm.weight",
            "nothing reads behind it");
    }

    public static TheoryData<string, bool> Tensors()
    {
        var tensors = new TheoryData<string, bool>();
        foreach (string name in (string[])
            [
                "model.embed_tokens.weight", "lm_head.weight", "model.layers.0.self_attn.q_proj.weight",
                "model.layers.1.self_attn.k_proj.weight", "model.layers.0.self_attn.v_proj.weight",
                "model.layers.1.self_attn.o_proj.weight",
                "model.layers.0.mlp.gate_proj.weight", "model.layers.1.mlp.up_proj.weight", "model.layers.1.mlp.down_proj.weight",
            ])
            tensors.Add(name, false);
        foreach (string name in (string[])
            [
                "gpt_neox.embed_in.weight", "embed_out.weight", NeoxPath + "attention.query_key_value.weight",
                NeoxPath + "attention.dense.weight", NeoxPath + "attention.dense.bias", NeoxPath + "mlp.dense_h_to_4h.weight",
                NeoxPath + "mlp.dense_4h_to_h.weight", NeoxPath + "mlp.dense_4h_to_h.bias", NeoxPath + "input_layernorm.bias",
                "gpt_neox.final_layer_norm.bias",
            ])
            tensors.Add(name, true);
        return tensors;
    }

    [Theory]
    [MemberData(nameof(Tensors))]
    public void Compare_TensorLeftAsItWas_IsNamedAlone(string tensor, bool layerNorm)
    {
        foreach (var dtype in (Dtype[])[Dtype.F64, Dtype.F32, Dtype.BF16])
        {
            foreach (BasisSource? heads in (BasisSource?[])[null, BasisSource.Random])
            {
                string at = $"{dtype}-{heads}";
                var (model, rotated) = Rotated(at, layerNorm, dtype, heads);
                using (model)
                using (rotated)
                {
                    double[] before = StreamModel.Values(model, tensor);
                    Named(model, Changed(rotated, at + "-left", dtype, tensor, values => before.CopyTo(values, 0)), tensor);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Tensors))]
    public void Compare_OneElementOffOrTheWholeByAFactor_IsNamedAlone(string tensor, bool layerNorm)
    {
        foreach (var dtype in (Dtype[])[Dtype.F64, Dtype.F32, Dtype.BF16])
        {
            foreach (BasisSource? heads in (BasisSource?[])[null, BasisSource.Random])
            {
                string at = $"{dtype}-{heads}";
                var (model, rotated) = Rotated(at, layerNorm, dtype, heads);
                using (model)
                using (rotated)
                {
                    double off = dtype switch { Dtype.F64 => 1e-9, Dtype.F32 => 1e-4, _ => 0.4 };
                    Named(model, Changed(rotated, at + "-element", dtype, tensor, values => values[5] += off), tensor);

                    // Of values or keys times a factor, the other side of the head is what does not follow.
                    if (tensor.EndsWith("bias", StringComparison.Ordinal)
                        || tensor.Contains("v_proj") || tensor.Contains("k_proj") || tensor.Contains("query_key_value"))
                        continue;
                    Named(
                        model,
                        Changed(
                            rotated, at + "-factor", dtype, tensor,
                            values =>
                            {
                                double factor = dtype switch { Dtype.F64 => 1 + 1e-9, Dtype.F32 => 1 + 1e-5, _ => 1.03 };
                                for (int i = 0; i < values.Length; i++) values[i] *= factor;
                            }),
                        tensor);
                }
            }
        }
    }

    [Theory]
    [InlineData("model.layers.0.self_attn.q_proj.weight")]
    [InlineData("model.layers.0.self_attn.o_proj.weight")]
    [InlineData("model.layers.1.mlp.gate_proj.weight")]
    [InlineData("model.layers.1.mlp.down_proj.weight")]
    [InlineData("lm_head.weight")]
    [InlineData("model.embed_tokens.weight")]
    public void Compare_TensorTurnedTheOtherWay_IsNamedAlone(string tensor)
    {
        var (model, rotated) = Rotated("m", layerNorm: false, Dtype.F32, null);
        using (model)
        using (rotated)
        {
            // R from the file beside the ledger; the gains of readers stay out of it, whatever they are is wrong here.
            using var file = SafetensorsFile.Open(Directory.GetFiles(rotated.Folder, "wisca-rotation-*").Single());
            double[] r = new double[256];
            file.Read(file.Header.Find("stream/rotation")!, 0, System.Runtime.InteropServices.MemoryMarshal.AsBytes(r.AsSpan()));
            double[] before = StreamModel.Values(model, tensor);
            bool writes = tensor.Contains("o_proj") || tensor.Contains("down_proj");
            Named(
                model,
                Changed(
                    rotated, "transposed", Dtype.F32, tensor,
                    values =>
                    {
                        Array.Clear(values);
                        int columns = writes ? values.Length / 16 : 16;
                        for (int i = 0; i < values.Length; i++)
                        {
                            for (int k = 0; k < 16; k++)
                                values[i] += writes
                                    ? r[(i / columns * 16) + k] * before[(k * columns) + (i % columns)]
                                    : before[(i / 16 * 16) + k] * r[(i % 16 * 16) + k];
                        }
                    }),
                tensor);
        }
    }

    [Fact]
    public void Compare_BiasDroppedOrHalfOfAFusedTensorLeft_IsNamedAlone()
    {
        foreach (BasisSource? heads in (BasisSource?[])[null, BasisSource.Random])
        {
            var (model, rotated) = Rotated($"m{heads}", layerNorm: true, Dtype.F32, heads);
            using (model)
            using (rotated)
            {
                foreach (string bias in (string[])[NeoxPath + "input_layernorm.bias", NeoxPath + "attention.dense.bias"])
                    Named(model, Changed(rotated, $"{heads}-{bias}", Dtype.F32, bias, Array.Clear), bias);
                string fused = NeoxPath + "attention.query_key_value.weight";
                double[] before = StreamModel.Values(model, fused);
                foreach (int part in (int[])[0, 4, 8])
                {
                    // Of each head 4 rows of queries, 4 of keys and 4 of values.
                    Named(
                        model,
                        Changed(
                            rotated, $"{heads}-fused-{part}", Dtype.F32, fused,
                            values =>
                            {
                                for (int i = 0; i < values.Length; i++)
                                {
                                    if (i / 16 % 12 / 4 * 4 == part) values[i] = before[i];
                                }
                            }),
                        fused);
                }
            }
        }
    }

    [Fact]
    public void Compare_RotationThatLeavesTheVectorOfOnes_IsNone()
    {
        // A LayerNorm model turned as if its norms were RMSNorms; and the same way with one that keeps the vector, which is right.
        new StreamModel(tied: false, layerNorm: true).Write(_folder["m"], Dtype.F64);
        using var model = Checkpoint.Open(_folder["m"]);
        var space = RotationPlan.Create(ModelLayout.Resolve(model)).Spaces.Single(space => space.Kind == RotationKind.Stream);
        foreach (bool keepsOnes in (bool[])[true, false])
        {
            var turn = SpaceTurn.Of(
                space, OrthogonalMatrix.Random(16, 9, keepsOnes), gain => StreamModel.Values(model, gain.Tensor), GainPolicy.Follow);
            using var other = All(model, $"{keepsOnes}", Dtype.F64, (name, values) => Turned(turn, model, name, values));
            var report = Certifier.Compare(model, other);
            report.Equivalent.ShouldBe(keepsOnes);
            if (!keepsOnes) report.Differences.ShouldContain(line => line.Contains("gpt_neox.embed_in.weight"));
        }
    }

    [Fact]
    public void Compare_AnotherModel_IsNoRotation()
    {
        new StreamModel(tied: false, layerNorm: false).Write(_folder["0"], Dtype.F32);
        using var model = Checkpoint.Open(_folder["0"]);
        var random = new Random(3);
        using var other = All(
            model, "other", Dtype.F32, (_, values) => Array.ConvertAll(values, value => value + (0.2 * random.NextDouble())));
        var report = Certifier.Compare(model, other);
        report.Equivalent.ShouldBeFalse();
        report.Rotation.ShouldBeNull();
        report.Differences.ShouldContain(
            "tensor 'model.embed_tokens.weight' is no rotation of the first's that most tensors agree with");
    }

    [Fact]
    public void Compare_HeadsAlone_NamesWhatNoBasisExplains()
    {
        new StreamModel(tied: false, layerNorm: false).Write(_folder["0"], Dtype.F32);
        using var model = Checkpoint.Open(_folder["0"]);
        Rotator.Rotate(model, _folder["1"], new RotateOptions { Stream = null, Heads = BasisSource.Random });
        using var rotated = Checkpoint.Open(_folder["1"]);
        foreach (string tensor in (string[])["model.layers.0.self_attn.v_proj.weight", "model.layers.0.self_attn.o_proj.weight"])
        {
            double[] before = StreamModel.Values(model, tensor);
            using var left = Changed(rotated, tensor, Dtype.F32, tensor, values => before.CopyTo(values, 0));
            Certifier.Compare(model, left).Equivalent.ShouldBeFalse();
            using var nudged = Changed(rotated, tensor + "-nudged", Dtype.F32, tensor, values => values[7] += 1e-3);
            Certifier.Compare(model, nudged).Equivalent.ShouldBeFalse();
        }
    }

    private static double[] Turned(SpaceTurn turn, Checkpoint model, string name, double[] values)
    {
        var shape = model.Find(name)!.Info.Shape;
        foreach (var slice in turn.Space.Slices.Where(slice => slice.Tensor == name))
            turn.Of(slice).Apply(values, (int)shape[slice.Axis], slice.Axis == shape.Length - 1 ? 1 : (int)shape[1]);
        if (turn.Gains.TryGetValue(name, out var gain)) return gain.After;
        if (turn.Space.Gains.FirstOrDefault(gain => gain.Bias == name) is { } norm) turn.OfBias(norm).Apply(values, values.Length, 1);
        return values;
    }

    private static void Named(Checkpoint model, Checkpoint changed, string tensor, string? also = null)
    {
        using (changed)
        {
            var report = Certifier.Compare(model, changed);
            report.Equivalent.ShouldBeFalse(changed.Folder);
            report.Differences.ShouldAllBe(line => line.Contains($"'{tensor}'"), changed.Folder);
            if (also is not null) report.Differences.ShouldContain(line => line.Contains(also));
            Certifier.Compare(changed, model).Equivalent.ShouldBeFalse(changed.Folder);
        }
    }

    private (Checkpoint Model, Checkpoint Rotated) Rotated(string name, bool layerNorm, Dtype dtype, BasisSource? heads)
    {
        new StreamModel(tied: false, layerNorm).Write(_folder[name], dtype);
        var model = Checkpoint.Open(_folder[name]);
        Rotator.Rotate(model, _folder[name + "-rotated"], new RotateOptions { Stream = BasisSource.Random, Heads = heads, Seed = 4 });
        return (model, Checkpoint.Open(_folder[name + "-rotated"]));
    }

    private Checkpoint Changed(Checkpoint model, string name, Dtype dtype, string tensor, Action<double[]> change) => All(
        model, name, dtype,
        (at, values) =>
        {
            if (at == tensor) change(values);
            return values;
        });

    private Checkpoint All(Checkpoint model, string name, Dtype dtype, Func<string, double[], double[]> change)
    {
        var tensors = model.Tensors.Select(tensor => (
            tensor.Info.Name, tensor.Info.Shape.Select(size => (int)size).ToArray(),
            change(tensor.Info.Name, StreamModel.Values(model, tensor.Info.Name)))).ToList();
        TinyCheckpoint.Write(_folder[name], File.ReadAllText(Path.Combine(model.Folder, "config.json")), dtype, tensors);
        return Checkpoint.Open(_folder[name]);
    }

    private static void WithoutLedger(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string name in Directory.GetFiles(from).Select(file => Path.GetFileName(file)))
        {
            if (!name.StartsWith("wisca", StringComparison.Ordinal)) File.Copy(Path.Combine(from, name), Path.Combine(to, name));
        }
    }
}
