using System.Runtime.InteropServices;
using Wisca.Attention;
using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Core.Tests.Certificates;
using Wisca.Core.Tests.Rotations;
using Wisca.Rescaling;
using Wisca.Rotations;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Transitions;

/// <summary>
/// Exchanges of MLPs and norms on disk. The judge of the function is the forward pass of <see cref="StreamModel"/>, in float64, for one
/// token: llama's blocks (gated MLP, RMS norms), and GPT-NeoX's with biases everywhere (LayerNorm with a bias).
/// </summary>
public sealed class MlpAndNormTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<Granularity?, Granularity?> Some => new()
    {
        { Granularity.Tensor, null }, { Granularity.Channel, null }, { null, Granularity.Tensor }, { null, Granularity.Channel },
        { Granularity.Channel, Granularity.Channel }, { Granularity.Tensor, Granularity.Channel },
    };

    [Theory]
    [MemberData(nameof(Some))]
    public void Rescale_Llama_KeepsTheFunctionAndUndoGivesItBack(Granularity? mlp, Granularity? norms)
    {
        using var model = Write(layerNorm: false);
        var result = Rescale(model, "out", Only(mlp, norms));
        using var rescaled = Checkpoint.Open(_folder["out"]);
        Difference(model, rescaled).ShouldBeLessThan(1e-12);
        result.Solution.Objective!.After.ShouldBeLessThan(result.Solution.Objective.Before);
        if (mlp is not null && norms is not null) result.Solution.Objective.Sweeps.ShouldBeGreaterThan(2);
        var certificate = Certifier.Compare(model, rescaled);
        certificate.Differences.ShouldBeEmpty();
        certificate.Scaled.Any(space => space.EndsWith("mlp.hidden")).ShouldBe(mlp is not null);
        certificate.Scaled.Contains("model.norm").ShouldBe(norms is not null);
        Undoer.Undo(rescaled, _folder["back"]);
        using var back = Checkpoint.Open(_folder["back"]);
        foreach (var tensor in model.Tensors)
        {
            double[] original = Values(model, tensor.Info.Name), restored = Values(back, tensor.Info.Name);
            for (int i = 0; i < original.Length; i++) restored[i].ShouldBe(original[i], 1e-13, tensor.Info.Name);
        }
    }

    [Fact]
    public void Rescale_LayerNormWithBias_TheBiasFollowsItsGain()
    {
        using var model = Write(layerNorm: true);
        Rescale(model, "out", Only(null, Granularity.Channel));
        using var rescaled = Checkpoint.Open(_folder["out"]);
        Difference(model, rescaled).ShouldBeLessThan(1e-12);
        Certifier.Compare(model, rescaled).Equivalent.ShouldBeTrue();
        Values(rescaled, "gpt_neox.layers.0.input_layernorm.bias").ShouldNotBe(Values(model, "gpt_neox.layers.0.input_layernorm.bias"));

        // GELU lets no factor pass, and the reason names it.
        Should.Throw<WiscaException>(() => Rescale(model, "none", Only(Granularity.Channel, null)))
            .Message.ShouldContain("hidden_act is gelu by default");
    }

    [Fact]
    public void Rescale_TiedModel_LeavesTheLastNormAlone()
    {
        using var model = Write(layerNorm: false, tied: true);
        var result = Rescale(model, "out", Only(null, Granularity.Channel));
        result.Solution.Plan.Refusals.ShouldContain(refusal => refusal.Kind == TransitionKind.NormGain && refusal.Reason.Contains("tied"));
        using var rescaled = Checkpoint.Open(_folder["out"]);
        Values(rescaled, "model.norm.weight").ShouldBe(Values(model, "model.norm.weight"));
        Difference(model, rescaled).ShouldBeLessThan(1e-12);
    }

    /// <summary>Everything at once, after each other, and beside a rotation: one ledger takes all of it back.</summary>
    [Theory]
    [InlineData(Dtype.F32)]
    [InlineData(Dtype.BF16)]
    public void Undo_PowersOfTwoOfAll_GivesBackTheBytes(Dtype dtype)
    {
        using var model = Write(layerNorm: false, dtype: dtype);
        var options = All(FactorRounding.PowerOfTwo);
        Rescale(model, "a", Only(Granularity.Tensor, Granularity.Tensor, FactorRounding.PowerOfTwo));
        using var first = Checkpoint.Open(_folder["a"]);
        var result = Rescale(first, "b", options);
        result.Move!.PowersOfTwo.ShouldBeTrue();
        using var second = Checkpoint.Open(_folder["b"]);
        var certificate = Certifier.Compare(model, second);
        certificate.Differences.ShouldBeEmpty();
        certificate.Equivalent.ShouldBeTrue();
        certificate.ExpectedExact.ShouldBe(result.Move.Lost.Count == 0);
        Undoer.Undo(second, _folder["back"]).RoundedTensors.ShouldBeEmpty();
        using var back = Checkpoint.Open(_folder["back"]);
        back.Tensors.ShouldAllBe(tensor => tensor.HasBytesOf(model.Find(tensor.Info.Name)!));
    }

    [Fact]
    public void Undo_AllThenARotationThenAll_GivesTheFunctionBack()
    {
        using var model = Write(layerNorm: false);
        Rescale(model, "a", Only(Granularity.Channel, Granularity.Channel));
        using var first = Checkpoint.Open(_folder["a"]);
        Rotator.Rotate(first, _folder["b"], new RotateOptions { Stream = BasisSource.Random, Seed = 4 });
        using var second = Checkpoint.Open(_folder["b"]);
        Rescale(second, "c", Only(Granularity.Channel, Granularity.Channel));
        using var third = Checkpoint.Open(_folder["c"]);
        Difference(model, third).ShouldBeLessThan(1e-11);
        Undoer.Undo(third, _folder["back"]);
        using var back = Checkpoint.Open(_folder["back"]);
        foreach (var tensor in model.Tensors)
        {
            double[] original = Values(model, tensor.Info.Name), restored = Values(back, tensor.Info.Name);
            for (int i = 0; i < original.Length; i++) restored[i].ShouldBe(original[i], 1e-10, tensor.Info.Name);
        }
    }

    /// <summary>The joint balance is a minimum: no single factor lowers the objective, from wherever it starts.</summary>
    [Theory]
    [InlineData(Criterion.L1)]
    [InlineData(Criterion.L2)]
    public void Rescale_All_EndsInTheOneMinimum(Criterion criterion)
    {
        using var model = Write(layerNorm: false);
        var options = All(FactorRounding.None, criterion);
        var once = Rescale(model, "a", options);
        once.Solution.Objective!.Sweeps.ShouldBeGreaterThan(2);
        using var first = Checkpoint.Open(_folder["a"]);
        var again = Rescaler.DryRun(first, options);
        again.Solution.Objective!.Before.ShouldBe(once.Solution.Objective.After, 1e-9 * once.Solution.Objective.After);
        again.Solution.Objective.After.ShouldBe(again.Solution.Objective.Before, 1e-9 * again.Solution.Objective.Before);
        again.Solution.Groups.ShouldAllBe(group => Math.Abs(Math.Log2(group.Balance.Factor)) < 1e-3);

        // From elsewhere on the orbit.
        Rescale(model, "b", Only(Granularity.Channel, Granularity.Tensor));
        using var elsewhere = Checkpoint.Open(_folder["b"]);
        var other = Rescaler.DryRun(elsewhere, options);
        other.Solution.Objective!.After.ShouldBe(once.Solution.Objective.After, 1e-6 * once.Solution.Objective.After);
    }

    public static TheoryData<string, string> Faults => new()
    {
        { "model.layers.1.mlp.gate_proj.weight", "mlp.gate_proj.weight" },
        { "model.layers.1.mlp.up_proj.weight", "mlp" },
        { "model.layers.1.mlp.down_proj.weight", "mlp" },
        { "model.layers.0.self_attn.k_proj.weight", "k_proj.weight" },
        { "model.layers.0.input_layernorm.weight", "model.layers.0.self_attn" },
        { "lm_head.weight", "model.norm.weight" },
    };

    /// <summary>One tensor left as it was: a reader left out, a side forgotten.</summary>
    [Theory]
    [MemberData(nameof(Faults))]
    public void Compare_OneTensorLeftOut_IsNamed(string tensor, string named)
    {
        using var model = Write(layerNorm: false);
        Rescale(model, "out", Only(Granularity.Channel, Granularity.Channel));
        using (var rescaled = Checkpoint.Open(_folder["out"]))
        {
            Certifier.Compare(model, rescaled).Equivalent.ShouldBeTrue();
            Put(rescaled, _folder["fault"], tensor, Values(model, tensor));
        }

        using var fault = Checkpoint.Open(_folder["fault"]);
        var certificate = Certifier.Compare(model, fault);
        certificate.Equivalent.ShouldBeFalse();
        certificate.Differences.ShouldContain(difference => difference.Contains(named));
    }

    [Fact]
    public void Compare_OneElementOff_IsNamed()
    {
        using var model = Write(layerNorm: false);
        Rescale(model, "out", Only(Granularity.Channel, Granularity.Channel));
        using var rescaled = Checkpoint.Open(_folder["out"]);
        foreach (string tensor in rescaled.Tensors.Select(tensor => tensor.Info.Name))
        {
            double[] values = Values(rescaled, tensor);
            values[values.Length / 2] *= 1 + 1e-6;
            Put(rescaled, _folder[$"fault-{tensor}"], tensor, values);
            using var fault = Checkpoint.Open(_folder[$"fault-{tensor}"]);
            Certifier.Compare(model, fault).Equivalent.ShouldBeFalse(tensor);
        }
    }

    /// <summary>Two channels, of which the one gains what the other loses: no mean over all of them tells.</summary>
    [Fact]
    public void Compare_HiddenChannelsWhoseFaultsCancelOnTheWhole_AreNamed()
    {
        using var model = Write(layerNorm: false);
        const string up = "model.layers.1.mlp.up_proj.weight", down = "model.layers.1.mlp.down_proj.weight";
        double[] rows = Values(model, up), columns = Values(model, down);
        int hidden = (int)model.Find(down)!.Info.Shape[1], width = rows.Length / hidden;
        for (int i = 0; i < width; i++)
        {
            rows[i] *= 2;
            rows[width + i] *= 2;
            columns[i * hidden] *= 0.75;
            columns[(i * hidden) + 1] *= 0.25;
        }

        Put(model, _folder["half"], up, rows);
        using var half = Checkpoint.Open(_folder["half"]);
        Put(half, _folder["fault"], down, columns);
        using var fault = Checkpoint.Open(_folder["fault"]);
        Certifier.Compare(model, fault).Differences.ShouldContain(difference => difference.Contains("do not cancel"));
    }

    /// <summary>All readers agree on a factor that the gain has not.</summary>
    [Fact]
    public void Compare_GainThatItsReadersDeny_IsNamed()
    {
        using var model = Write(layerNorm: false);
        const string layer = "model.layers.1.", gain = layer + "post_attention_layernorm.weight";
        var last = model;
        int edits = 0;

        // Of two channels the readers are halved; the gain is doubled for one.
        Edit(gain, (values, _) => values[3] *= 2);
        foreach (string reader in (string[])["mlp.gate_proj.weight", "mlp.up_proj.weight"])
        {
            Edit(layer + reader, (values, width) =>
            {
                for (int row = 0; row < values.Length; row += width)
                {
                    values[row + 3] /= 2;
                    values[row + 5] /= 2;
                }
            });
        }

        using var fault = last;
        Certifier.Compare(model, fault).Differences
            .ShouldContain(difference => difference.Contains("gate_proj.weight' at [0, 5] is") && difference.EndsWith("the first's by 1"));

        void Edit(string tensor, Action<double[], int> edit)
        {
            double[] values = Values(last, tensor);
            edit(values, (int)last.Find(tensor)!.Info.Shape[^1]);
            string folder = _folder[$"edit-{edits++}"];
            Put(last, folder, tensor, values);
            if (last != model) last.Dispose();
            last = Checkpoint.Open(folder);
        }
    }

    [Fact]
    public void Compare_GainsThatCancelInTheMeanAlone_AreNamed()
    {
        using var model = Write(layerNorm: false);
        const string gain = "model.layers.1.post_attention_layernorm.weight";
        double[] values = Values(model, gain);
        values[3] *= 1.5;
        values[5] *= 0.5;
        Put(model, _folder["mean"], gain, values);
        using var fault = Checkpoint.Open(_folder["mean"]);
        Certifier.Compare(model, fault).Differences.ShouldContain(difference => difference.Contains($"'{gain}' at [3]"));
    }

    private static RescaleOptions Only(Granularity? mlp, Granularity? norms, FactorRounding rounding = FactorRounding.None) => new()
    {
        QueryKey = null,
        ValueOutput = null,
        Mlp = mlp,
        Norms = norms,
        Balance = new BalanceOptions(Rounding: rounding),
        Threads = 2,
    };

    private static RescaleOptions All(FactorRounding rounding, Criterion criterion = Criterion.L1) =>
        (RescaleOptions)new RescaleOptions { Balance = new BalanceOptions(criterion, rounding), Threads = 2 }.WithAll();

    private RescaleResult Rescale(Checkpoint model, string name, RescaleOptions options) =>
        Rescaler.Rescale(model, _folder[name], options);

    private Checkpoint Write(bool layerNorm, bool tied = false, Dtype dtype = Dtype.F64)
    {
        new StreamModel(tied, layerNorm).Write(_folder["model"], dtype);
        return Checkpoint.Open(_folder["model"]);
    }

    private static void Put(Checkpoint model, string folder, string tensor, double[] values)
    {
        WeightEditor.Copy(model.Folder, folder);
        WeightEditor.Edit(folder, tensor, bytes => MemoryMarshal.AsBytes<double>(values).CopyTo(bytes));
    }

    private static double Difference(Checkpoint a, Checkpoint b) =>
        StreamModel.Logits(a).Zip(StreamModel.Logits(b)).SelectMany(rows => rows.First.Zip(rows.Second))
            .Max(pair => Math.Abs(pair.First - pair.Second));

    private static double[] Values(Checkpoint model, string tensor) => new TurnPlan(model).All(tensor);
}
