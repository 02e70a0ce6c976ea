using System.Runtime.InteropServices;
using TorchSharp;
using Wisca.Adapters;
using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using Wisca.Torch.Proofs;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Proofs;

/// <summary>
/// What the forward proof takes for rounding, on models that are well conditioned and on ones whose key biases are hundreds, as Qwen2's
/// are: there float32 rounds logits a hundred times worse.
/// </summary>
[Collection(TorchCollection.Name)]
public sealed class RoundingProofTests : IDisposable
{
    private const int HeadDim = TorchTinyModels.HeadDim, Hidden = TorchTinyModels.Hidden;

    private static readonly int[] Tokens = TorchTinyModels.Tokens(48);

    private static readonly BalanceOptions Exact = new(Rounding: FactorRounding.None);

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<Dtype, bool> Models()
    {
        var models = new TheoryData<Dtype, bool>();
        foreach (var dtype in (Dtype[])[Dtype.F32, Dtype.BF16, Dtype.F16])
        {
            models.Add(dtype, false);
            models.Add(dtype, true);
        }

        return models;
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Compare_RightRescalings_AreEquivalentForManySeeds(Dtype dtype, bool ill)
    {
        double ratios = 0;
        const int seeds = 12;
        for (int seed = 0; seed < seeds; seed++)
        {
            using var model = Model(dtype, ill, seed);
            using var rescaled = Rescaled(model, $"out{seed}", seed % 2 == 0);
            var report = ForwardProof.Compare(model, rescaled, Tokens);
            report.Equivalent.ShouldBeTrue($"seed {seed}: {report.Reason}");
            report.Precision.ShouldBe(ComputePrecision.F64.Name());
            ratios += report.Rounding!.Ratio * report.Rounding.Ratio;
        }

        // What the bound is derived from: one rounding, even within half a unit, against moves by half a unit.
        Math.Sqrt(ratios / seeds).ShouldBeInRange(0.45, 0.8);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Compare_WithoutFloat64_RightRescalingsAreEquivalentToo(Dtype dtype, bool ill)
    {
        for (int seed = 0; seed < 6; seed++)
        {
            using var model = Model(dtype, ill, seed);
            using var rescaled = Rescaled(model, $"out{seed}", pair: true);
            foreach (var options in (ForwardProofOptions[])
                [new() { Sharpen = false }, new() { Precision = ComputePrecision.Native }])
            {
                var report = ForwardProof.Compare(model, rescaled, Tokens, options);
                report.Equivalent.ShouldBeTrue($"seed {seed}, {options.Precision}: {report.Reason}");
                report.Precision.ShouldBe(options.Precision.Name());
            }
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Compare_ModelsMovedSeveralTimes_AreEquivalent(Dtype dtype, bool ill)
    {
        using var model = Model(dtype, ill, seed: 3);
        string last = model.Folder;
        foreach (var (criterion, index) in ((Criterion[])[Criterion.L1, Criterion.Spectral, Criterion.Rms]).Select((c, i) => (c, i)))
        {
            using var before = Checkpoint.Open(last);
            last = _folder[$"move{index}"];
            Rescaler.Rescale(before, last, Options(pair: index == 1) with { Balance = Exact with { Criterion = criterion } });
        }

        using var moved = Checkpoint.Open(last);
        Undoer.Undo(moved, _folder["undone"]);
        using var undone = Checkpoint.Open(_folder["undone"]);
        foreach (var other in (Checkpoint[])[moved, undone])
        {
            var report = ForwardProof.Compare(model, other, Tokens);
            report.Equivalent.ShouldBeTrue(report.Reason);
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Compare_FactorsOneOff_AreNot(Dtype dtype, bool ill)
    {
        using var model = Model(dtype, ill, seed: 1);
        using var rescaled = Rescaled(model, "out", pair: true);

        // A channel of the values: float32 sees a thousandth of one whatever the conditioning; of what 16 bits round, a tenth is seen in
        // F16, and in BF16 half. All channels of a layer together are seen from a few percent on.
        double channel = dtype switch { Dtype.F32 => 1.001, Dtype.F16 => 1.1, _ => 1.5 };
        ShouldDiffer("channel", row => row == 5 ? channel : 1);
        ShouldDiffer("all channels", _ => dtype == Dtype.BF16 ? 1.06 : 1.02);

        void ShouldDiffer(string name, Func<int, double> factor)
        {
            using var wrong = Scaled(rescaled, name, dtype, "layers.1.self_attn.v_proj.weight", (row, _) => factor(row));
            ShouldNotBeEquivalent(model, wrong, name);
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Compare_ExchangesThatAreNone_AreNot(Dtype dtype, bool ill)
    {
        using var model = Model(dtype, ill, seed: 2);
        const double s = 1.3;

        // The kv head's factor goes to the values of one head, its inverse to the columns of the other's query heads.
        ShouldDiffer("wrong head", values: (row, _) => row < HeadDim ? s : 1, output: (_, column) => column < 2 * HeadDim ? 1 : 1 / s);

        // Rows where columns are meant.
        ShouldDiffer("transposed", values: (row, _) => row < HeadDim ? s : 1, output: (row, _) => row < 2 * HeadDim ? 1 / s : 1);

        // Channels 0 and 1 are taken for a rotary pair, as if they were interleaved; they are 0 and 4.
        ShouldDiffer(
            "pairs",
            query: (row, _) => row % HeadDim < 2 ? s : 1,
            key: (row, _) => row % HeadDim < 2 ? 1 / s : 1);

        void ShouldDiffer(
            string name,
            Func<int, int, double>? values = null,
            Func<int, int, double>? output = null,
            Func<int, int, double>? query = null,
            Func<int, int, double>? key = null)
        {
            ModelCopy.Write(model, _folder[name], dtype, edit: (info, elements) =>
            {
                string role = info.Name.Split('.')[^2];
                var factor = role switch { "v_proj" => values, "o_proj" => output, "q_proj" => query, "k_proj" => key, _ => null };
                if (factor is not null) Scale(info, elements, factor);
            });
            using var wrong = Checkpoint.Open(_folder[name]);
            ShouldNotBeEquivalent(model, wrong, name);
        }
    }

    /// <summary>
    /// All values of a layer too large by five percent change logits by less than 8 x 2^-8 of the largest, which used to be allowed.
    /// </summary>
    [Fact]
    public void Compare_FaultBelowTheOldConstantOfBF16_IsFound()
    {
        using var original = Checkpoint.Open(TestData.Require("models", "TinyStories-656K"));
        ModelCopy.Write(original, _folder["model"], Dtype.BF16);
        using var model = Checkpoint.Open(_folder["model"]);
        using var rescaled = Rescaled(model, "out", pair: false);
        using var wrong = Scaled(rescaled, "wrong", Dtype.BF16, "layers.1.self_attn.v_proj.weight", (_, _) => 1.05);
        int[] tokens = RandomTokens.Draw(64, 2048, 1);
        var report = ForwardProof.Compare(model, wrong, tokens);
        report.MaxDifference.ShouldBeInRange(0.01 * report.MaxLogit, 8 * Math.ScaleB(1, -8) * report.MaxLogit);
        report.Equivalent.ShouldBeFalse($"{report.Rounding}");
        var right = ForwardProof.Compare(model, rescaled, tokens);
        right.Equivalent.ShouldBeTrue(right.Reason);
    }

    [Theory]
    [InlineData(Dtype.F32, false, 0.3)]
    [InlineData(Dtype.F32, true, 0.3)]
    [InlineData(Dtype.BF16, false, 0.3)]
    [InlineData(Dtype.BF16, false, 0.003)]
    [InlineData(Dtype.BF16, true, 0.3)]
    [InlineData(Dtype.F16, true, 0.3)]
    public void Compare_RightMerges_AreEquivalentForManySeeds(Dtype dtype, bool ill, double deviation)
    {
        for (int seed = 0; seed < 8; seed++)
        {
            using var model = Model(dtype, ill, seed);
            using var adapter = Adapted(seed, deviation);
            var binding = adapter.Bind(model);
            Merger.Merge(binding, _folder[$"merged{seed}"]);
            using var merged = Checkpoint.Open(_folder[$"merged{seed}"]);
            var report = ForwardProof.Compare(model, merged, Tokens, new ForwardProofOptions { Adapter = binding });
            report.Equivalent.ShouldBeTrue($"seed {seed}: {report.Reason}");
        }
    }

    [Theory]
    [InlineData(Dtype.F32, false, 0.99)]
    [InlineData(Dtype.F32, true, 0.99)]
    [InlineData(Dtype.F16, false, 0.95)]
    [InlineData(Dtype.BF16, false, 0.7)]
    public void Compare_MergesByAnotherScale_AreNot(Dtype dtype, bool ill, double scale)
    {
        using var model = Model(dtype, ill, seed: 1);
        using var adapter = Adapted(1, 0.3);
        using var other = Adapted(1, 0.3 * scale);
        Merger.Merge(other.Bind(model), _folder["merged"]);
        using var merged = Checkpoint.Open(_folder["merged"]);
        var report = ForwardProof.Compare(model, merged, Tokens, new ForwardProofOptions { Adapter = adapter.Bind(model) });
        report.Equivalent.ShouldBeFalse($"{report.Rounding}");
    }

    /// <summary>A text of many windows is held together with what was measured in the first.</summary>
    [Fact]
    public void Compare_FaultInALateWindow_IsFound()
    {
        using var model = Model(Dtype.F32, ill: false, seed: 1);
        using var rescaled = Rescaled(model, "out", pair: false);

        // A token that appears in the last window alone.
        int[] tokens = [.. Enumerable.Range(0, 40).Select(i => i % 10), 49, 3];
        using var wrong = Scaled(rescaled, "wrong", Dtype.F32, "embed_tokens.weight", (row, _) => row == 49 ? 1.001 : 1);
        var options = new ForwardProofOptions { WindowLength = 10 };
        ForwardProof.Compare(model, rescaled, tokens, options).Equivalent.ShouldBeTrue();
        var report = ForwardProof.Compare(model, wrong, tokens, options);
        report.Rounding!.Ratio.ShouldBeLessThan(RoundingNoise.Allowed);
        report.Equivalent.ShouldBeFalse();
    }

    /// <summary>
    /// Two experts are all but equally good at some positions, and rounding picks the other: by any amount another result, which a few
    /// positions may have, and no more than a few.
    /// </summary>
    [Fact]
    public void ToReport_FewPositionsFarOff_AreSparedWhereARouterPicksExperts()
    {
        var dense = Report(routed: false, off: 2);
        dense.Explains.ShouldBeFalse();
        dense.Spared.ShouldBe(0);
        var routed = Report(routed: true, off: 2);
        routed.Explains.ShouldBeTrue();
        (routed.Positions, routed.Spared, routed.Beyond).ShouldBe((60, 3, 2));
        routed.Ratio.ShouldBe(0.6, 1e-9);
        Report(routed: true, off: 4).Explains.ShouldBeFalse();
        Report(routed: true, off: 60).Explains.ShouldBeFalse();

        static RoundingNoise Report(bool routed, int off)
        {
            // Forty positions with noise of their own, twenty without; what is off is in both.
            double[] differences = [.. Enumerable.Range(0, 60).Select(i => (i + 1) % (60 / off) == 0 ? 1e4 : 0.36)];
            double[] noise = [.. Enumerable.Repeat(1.0, 40)];
            using var logits = zeros(1, 4);
            using var other = ones(1, 4);
            using var targets = empty(0, ScalarType.Int64);
            var comparison = new LogitComparison(routed);
            comparison.Add(logits, other, targets);
            comparison.AddNoise(differences.AsSpan(0, 50), noise);
            comparison.AddLater(differences.AsSpan(50));
            return comparison.ToReport(60, ComputePrecision.F64.Name()).Rounding!;
        }
    }

    [Theory]
    [InlineData(Dtype.F32, 1.01)]
    [InlineData(Dtype.BF16, 1.3)]
    public void Compare_MixturesOfExperts_RightOnesPassAndFaultsDoNot(Dtype dtype, double fault)
    {
        int[] tokens = TinyFamilies.Tokens(200);
        for (int seed = 0; seed < 8; seed++)
        {
            using (var decoder = TinyFamilies.Create("mixtral", (ulong)seed + 1, ScalarType.Float32)) decoder.Save(_folder[$"wide{seed}"]);
            using var wide = Checkpoint.Open(_folder[$"wide{seed}"]);
            ModelCopy.Write(wide, _folder[$"model{seed}"], dtype);
            using var model = Checkpoint.Open(_folder[$"model{seed}"]);
            using var rescaled = Rescaled(model, $"out{seed}", pair: true);
            var right = ForwardProof.Compare(model, rescaled, tokens);
            right.Equivalent.ShouldBeTrue($"seed {seed}: {right.Reason} {right.Rounding}");
            right.Rounding!.Spared.ShouldBeGreaterThan(0);
            using var wrong = Scaled(rescaled, $"wrong{seed}", dtype, "layers.0.self_attn.v_proj.weight", (_, _) => fault);
            var report = ForwardProof.Compare(model, wrong, tokens);
            report.Equivalent.ShouldBeFalse($"seed {seed}: {report.Rounding}");
        }
    }

    [Fact]
    public void Compare_OtherConfiguration_IsNoRounding()
    {
        using var model = Model(Dtype.F32, ill: false, seed: 1);
        ModelCopy.Write(
            _folder["other"],
            TorchTinyModels.Config("qwen2", further: ", \"rope_theta\": 10001.0"),
            model.Tensors.Select(tensor => (tensor.Info.Name, tensor.Info.Shape.ToArray(), ModelCopy.Values(tensor))));
        using var other = Checkpoint.Open(_folder["other"]);
        var report = ForwardProof.Compare(model, other, Tokens);
        report.Equivalent.ShouldBeFalse();
        report.Rounding!.Ratio.ShouldBe(double.PositiveInfinity);
        report.Reason.ShouldNotBeNull().ShouldContain("infinitely many times");
    }

    [Fact]
    public void Move_WeightsThatDiffer_MoveByHalfAUnitAndComeBack()
    {
        using var model = Model(Dtype.BF16, ill: false, seed: 1);
        using var rescaled = Rescaled(model, "out", pair: false);
        using var ungraded = no_grad();
        using Decoder a = Decoder.Load(model, ComputePrecision.F64, out var storedA),
            b = Decoder.Load(rescaled, ComputePrecision.F64, out var storedB);
        var before = Values(b);
        var rounding = new WeightRounding(a, storedA, b, storedB, new HashSet<string>());
        rounding.Move(0);
        var first = Values(b);
        rounding.Move(1);
        var second = Values(b);
        rounding.Restore();
        Values(b).ShouldAllBe(entry => entry.Value.SequenceEqual(before[entry.Key]));

        var original = Values(a);
        first.Keys.Where(name => !first[name].SequenceEqual(before[name])).ShouldAllBe(name => name.Contains("self_attn"));
        int up = 0, moved = 0, same = 0;
        foreach (string name in first.Keys)
        {
            for (int i = 0; i < first[name].Length; i++)
            {
                double value = before[name][i];
                double half = value == original[name][i] ? 0 : Math.ScaleB(1, Math.ILogB(value) - 8);
                Math.Abs(first[name][i] - value).ShouldBe(half);
                Math.Abs(second[name][i] - value).ShouldBe(half);
                if (half == 0) continue;
                moved++;
                if (first[name][i] > value) up++;
                if (first[name][i] == second[name][i]) same++;
            }
        }

        // Up and down by chance, and each draw by its own: within five deviations of a half.
        moved.ShouldBeGreaterThan(1000);
        (up / (double)moved).ShouldBeInRange(0.5 - (2.5 / Math.Sqrt(moved)), 0.5 + (2.5 / Math.Sqrt(moved)));
        (same / (double)moved).ShouldBeInRange(0.5 - (2.5 / Math.Sqrt(moved)), 0.5 + (2.5 / Math.Sqrt(moved)));

        static Dictionary<string, double[]> Values(Decoder decoder) =>
            decoder.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter.data<double>().ToArray());
    }

    [Fact]
    public void Compare_Noise_LeavesNoTensors()
    {
        using var model = Model(Dtype.F32, ill: false, seed: 1);
        using var rescaled = Rescaled(model, "out", pair: false);
        ForwardProof.Compare(model, rescaled, Tokens);
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (int i = 0; i < 2; i++) ForwardProof.Compare(model, rescaled, Tokens, new ForwardProofOptions { WindowLength = 16 });
        DisposeScopeManager.Statistics.ThreadTotalLiveCount.ShouldBe(before);
    }

    private static void ShouldNotBeEquivalent(Checkpoint model, Checkpoint wrong, string name)
    {
        var report = ForwardProof.Compare(model, wrong, Tokens);
        report.Equivalent.ShouldBeFalse($"{name}: {report.Rounding}");
        report.Reason.ShouldNotBeNull().ShouldStartWith("logits differ by up to ");
    }

    private Checkpoint Model(Dtype dtype, bool ill, int seed)
    {
        string folder = _folder[$"model-{dtype}-{ill}-{seed}"];
        var tensors = TorchTinyModels.Tensors(seed, bias: true).Select(tensor =>
            ill && tensor.Name.EndsWith("k_proj.bias", StringComparison.Ordinal)
                ? (tensor.Name, tensor.Shape, Array.ConvertAll(tensor.Values, value => 300 * value))
                : tensor);
        ModelCopy.Write(folder, TorchTinyModels.Config("qwen2"), tensors, dtype);
        return Checkpoint.Open(folder);
    }

    private static RescaleOptions Options(bool pair) => new()
    {
        QueryKey = pair ? Granularity.Pair : Granularity.Tensor,
        ValueOutput = pair ? Granularity.Channel : Granularity.Tensor,
        Balance = Exact,
    };

    private Checkpoint Rescaled(Checkpoint model, string name, bool pair)
    {
        Rescaler.Rescale(model, _folder[name], Options(pair));
        return Checkpoint.Open(_folder[name]);
    }

    private Checkpoint Scaled(Checkpoint model, string name, Dtype dtype, string tensor, Func<int, int, double> factor)
    {
        ModelCopy.Write(model, _folder[name], dtype, edit: (info, values) =>
        {
            if (info.Name.EndsWith(tensor, StringComparison.Ordinal)) Scale(info, values, factor);
        });
        return Checkpoint.Open(_folder[name]);
    }

    private static void Scale(TensorInfo info, float[] values, Func<int, int, double> factor)
    {
        int columns = info.Shape.Length == 1 ? 1 : (int)info.Shape[1];
        for (int i = 0; i < values.Length; i++) values[i] = (float)(values[i] * factor(i / columns, i % columns));
    }

    private Adapter Adapted(int seed, double deviation)
    {
        string folder = _folder[$"adapter-{seed}-{deviation}"];
        var random = new Random(seed);
        var modules =
            from layer in Enumerable.Range(0, TorchTinyModels.Layers)
            from role in (string[])["q_proj", "v_proj"]
            let rows = (role == "q_proj" ? TorchTinyModels.Heads : TorchTinyModels.KvHeads) * HeadDim
            from part in ((string, long[], double)[])
                [("lora_A", [4, Hidden], 0.3), ("lora_B", [rows, 4], deviation)]
            select ($"base_model.model.model.layers.{layer}.self_attn.{role}.{part.Item1}.weight", part.Item2, part.Item3);
        var tensors = modules.Select(module =>
        {
            var (name, shape, size) = module;
            float[] values = new float[shape[0] * shape[1]];
            for (int i = 0; i < values.Length; i++) values[i] = (float)(size * ((2 * random.NextDouble()) - 1));
            return (Name: name, Shape: shape, Values: values);
        }).ToList();
        Directory.CreateDirectory(folder);
        File.WriteAllText(
            Path.Combine(folder, "adapter_config.json"),
            """{"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]}""");
        var header = SafetensorsHeader.Create(tensors.Select(tensor => (tensor.Name, Dtype.F32, tensor.Shape)), null);
        using (var writer = new SafetensorsWriter(Path.Combine(folder, "adapter_model.safetensors"), header))
        {
            foreach (var (_, _, values) in tensors) writer.Write(MemoryMarshal.AsBytes<float>(values).ToArray());
            writer.Complete();
        }

        return Adapter.Open(folder);
    }
}
