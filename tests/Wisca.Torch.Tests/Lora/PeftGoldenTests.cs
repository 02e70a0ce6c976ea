using Wisca.Adapters;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Torch.Lora;
using Wisca.Torch.Models;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Lora;

/// <summary>
/// Every kind of adapter with results by PEFT 0.21: the merged weights as PEFT rounds them, and the logits of base and adapter
/// in float64, which is what either of our ways must compute.
/// </summary>
public sealed class PeftGoldenTests : IDisposable
{
    // A float64 model of transformers computes its norms in float32: with norms in float64 PEFT's own logits differ from these by up to
    // 2.3e-6 of the largest (rslora-all-linear), to 1e-9 as ours do.
    private const double NormsInFloat32 = 3e-6;

    // Adapters, and whether their base has a forward pass here.
    public static TheoryData<string, bool> Kinds { get; } = new()
    {
        { "bf16-adapter", true },
        { "bf16-base-f32-adapter", true },
        { "bias-lora-only", true },
        { "dora-attention", true },
        { "embeddings-and-head", true },
        { "experts-parameters", false },
        { "fan-in-fan-out", true },
        { "layers-to-transform", true },
        { "lora-bias", true },
        { "modules-to-save-head", true },
        { "pissa", true },
        { "plain-mlp", true },
        { "plain-qv", true },
        { "regex-target", true },
        { "rslora-all-linear", true },
        { "trainable-tokens", true },
        { "two-ranks-rslora", true },
    };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Merged_as_PEFT_merges(string kind, bool forward)
    {
        using var adapter = Adapter.Open(TestData.Require("golden", "peft", kind));
        using var checkpoint = Base(adapter);
        Merger.Merge(adapter.Bind(checkpoint, decomposition: new PeftDecomposition()), _folder["merged"]);
        using var merged = Checkpoint.Open(_folder["merged"]);
        using var golden = SafetensorsFile.Open(TestData.Require("golden", "peft", kind, "golden_merged.safetensors"));
        var expected = golden.Header.Tensors.SelectMany(info => Split(info.Name, Values(golden, info), info)).ToList();
        foreach (var (name, values) in expected)
        {
            var tensor = merged.Find(name).ShouldNotBeNull(name);
            double[] actual = Values(tensor.File, tensor.Info);

            // PEFT rounds the product, its scaling and the sum, each to the base's type: a few units of the larger operand.
            double unit = Math.ScaleB(1, -tensor.Info.Dtype.SignificandBits());
            double size = values.Max(Math.Abs);
            for (int i = 0; i < values.Length; i++) actual[i].ShouldBe(values[i], 4 * unit * size, $"{name}[{i}]");
        }

        // What PEFT leaves alone is left alone, to the bit.
        var changed = expected.Select(entry => entry.Name).ToHashSet();
        foreach (var tensor in checkpoint.Tensors.Where(tensor => !changed.Contains(tensor.Info.Name)))
            Values(merged.Find(tensor.Info.Name)!.File, merged.Find(tensor.Info.Name)!.Info).ShouldBe(Values(tensor.File, tensor.Info));
        if (!forward) return;
        using var decoder = Decoder.Load(merged, ComputePrecision.F64);
        Compare(decoder, kind, kind == "bf16-base-f32-adapter" ? 6e-2 : NormsInFloat32);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Unmerged_as_PEFT_computes(string kind, bool forward)
    {
        using var adapter = Adapter.Open(TestData.Require("golden", "peft", kind));
        using var checkpoint = Base(adapter);
        if (!forward)
        {
            Should.Throw<WiscaException>(() => Decoder.Load(checkpoint)).Message.ShouldContain("qwen3_moe");
            return;
        }

        using var decoder = Decoder.Load(checkpoint, ComputePrecision.F64);
        double[] before = Logits(decoder, kind);
        var binding = adapter.Bind(checkpoint, decomposition: new PeftDecomposition());
        using (LoraModel.Load(decoder, binding)) Compare(decoder, kind, NormsInFloat32);
        if (adapter.Saved.IsEmpty) Logits(decoder, kind).ShouldBe(before);
    }

    /// <summary>The adapter goes with its base through a rescaling, and back by undo; where it cannot, it is refused by name.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public void Moved_with_its_base_it_computes_the_same(string kind, bool forward)
    {
        string source = TestData.Require("golden", "peft", kind);
        using var adapter = Adapter.Open(source);
        using var checkpoint = Base(adapter);
        var options = new RescaleOptions
        {
            QueryKey = Granularity.Pair,
            ValueOutput = Granularity.Channel,
            Balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo),
        };
        if (checkpoint.Config.ModelType == "gpt2") options = options with { QueryKey = Granularity.KvHead };
        void Rescale() => AdapterRescaler.Rescale(adapter.Bind(checkpoint), _folder["m"], _folder["a"], options);
        if (kind == "pissa")
        {
            Should.Throw<WiscaException>(Rescale).Message.ShouldContain("init_lora_weights is \"pissa\"");
            return;
        }

        Rescale();
        using var moved = Adapter.Open(_folder["a"]);
        using var rescaled = Checkpoint.Open(_folder["m"]);
        AdapterRescaler.Undo(moved, _folder["back"]);
        var before = TestCheckpoint.Read(source);
        foreach (var (name, tensor) in TestCheckpoint.Read(_folder["back"]))
        {
            // Magnitudes behind single factors for columns come back to rounding.
            if (name.EndsWith("magnitude_vector", StringComparison.Ordinal)) continue;
            tensor.Bytes.ShouldBe(before[name].Bytes, name);
        }

        if (!forward) return;
        using var decoder = Decoder.Load(rescaled, ComputePrecision.F64);
        using var lora = LoraModel.Load(decoder, moved.Bind(rescaled));
        Compare(decoder, kind, NormsInFloat32);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Balanced_it_computes_the_same(string kind, bool forward)
    {
        using var adapter = Adapter.Open(TestData.Require("golden", "peft", kind));
        using var checkpoint = Base(adapter);
        void Balance() => FactorBalancer.Balance(adapter, _folder["a"], new AdapterBalanceOptions());
        if (!forward)
        {
            Should.Throw<WiscaException>(Balance).Message.ShouldContain("has target_parameters");
            return;
        }

        Balance();
        using var balanced = Adapter.Open(_folder["a"]);
        using var decoder = Decoder.Load(checkpoint, ComputePrecision.F64);
        using var lora = LoraModel.Load(decoder, balanced.Bind(checkpoint, decomposition: new PeftDecomposition()));
        Compare(decoder, kind, kind == "bf16-adapter" ? 6e-2 : 4 * NormsInFloat32);
    }

    private static Checkpoint Base(Adapter adapter) =>
        Checkpoint.Open(TestData.Require("golden", "peft", "bases", Path.GetFileName(adapter.Config.BaseName!)));

    /// <summary>A fused stack of experts as the base stores it, an expert at a time.</summary>
    private static IEnumerable<(string Name, double[] Values)> Split(string name, double[] values, TensorInfo info)
    {
        if (info.Shape.Length < 3) return [(name, values)];
        int experts = (int)info.Shape[0], size = values.Length / experts;
        string place = name[..name.LastIndexOf('.')];
        string[] parts = name.EndsWith("gate_up_proj", StringComparison.Ordinal) ? ["gate_proj", "up_proj"] : ["down_proj"];
        return
            from expert in Enumerable.Range(0, experts)
            from part in Enumerable.Range(0, parts.Length)
            let length = size / parts.Length
            select ($"{place}.{expert}.{parts[part]}.weight", values.AsSpan((expert * size) + (part * length), length).ToArray());
    }

    private static void Compare(Decoder decoder, string kind, double tolerance)
    {
        using var golden = SafetensorsFile.Open(TestData.Require("golden", "peft", kind, "golden_logits.safetensors"));
        double[] expected = Values(golden, golden.Header.Find("logits_float64")!);
        double largest = expected.Max(Math.Abs);
        LoraDifference(Logits(decoder, kind), expected).ShouldBeLessThan(tolerance * largest);
    }

    private static double LoraDifference(double[] a, double[] b)
    {
        a.Length.ShouldBe(b.Length);
        return a.Zip(b, (x, y) => Math.Abs(x - y)).Max();
    }

    private static double[] Logits(Decoder decoder, string kind)
    {
        using var golden = SafetensorsFile.Open(TestData.Require("golden", "peft", kind, "golden_logits.safetensors"));
        var info = golden.Header.Find("ids")!;
        byte[] bytes = new byte[info.ByteLength];
        golden.Read(info, 0, bytes);
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        var ids = tensor(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, long>(bytes).ToArray(), [.. info.Shape]);
        return decoder.forward(ids).to(ScalarType.Float64).contiguous().data<double>().ToArray();
    }

    private static double[] Values(SafetensorsFile file, TensorInfo info)
    {
        byte[] bytes = new byte[info.ByteLength];
        file.Read(info, 0, bytes);
        return ReferenceFloat.Values(info.Dtype.ToString(), bytes);
    }
}
