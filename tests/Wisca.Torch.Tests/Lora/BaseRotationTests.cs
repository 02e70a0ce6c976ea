using TorchSharp;
using Wisca.Adapters;
using Wisca.Checkpoints;
using Wisca.Rotations;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Lora;
using Wisca.Torch.Models;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Transitions;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Lora;

/// <summary>The stream and the heads of a frozen base turn, and its adapter with them.</summary>
[Collection(TorchCollection.Name)]
public sealed class BaseRotationTests : IDisposable
{
    private const int Before = 10, Steps = 60;
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Model type and adapter: those of DoRA on modules whose outputs lie in no space that turns.</summary>
    public static TheoryData<string, string> Cases => new()
    {
        { "mistral", "plain" },
        { "mistral", "dora" },
        { "mistral", "pissa" },
        { "mistral", "head" },
        { "mistral", "whole" },
        { "qwen2", "plain" },
        { "gpt2", "plain" },
        { "gpt_neox", "plain" },
        { "gpt_neox", "dora" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Apply_ThreeTimes_KeepsTheFunctionAndTheAdapterOfTheFirstBase(string family, string kind)
    {
        using var decoder = TinyFamilies.Create(family);
        if (decoder.Config.TiedHead)
        {
            using (no_grad()) decoder.get_parameter("transformer.ln_f.weight")!.fill_(1.5.ToScalar());
        }

        decoder.Save(_folder["base"], new SaveOptions { Dtype = Dtype.F64 });
        using var lora = LoraModel.Attach(decoder, Config(decoder, kind));
        if (kind != "pissa") LoraRun.Disturb(lora);
        using var optimizer = new AdamW(lora.Parameters);
        using var average = new WeightAverage(lora.Parameters, 0.5);
        LoraRun.Backward(lora, 1);
        optimizer.Step(1e-3);
        average.Update();
        double[] before = LoraRun.Logits(decoder), averaged = Averaged(), start = Factors(lora);
        using var frozen = Frozen(lora);
        var options = new RotationOptions { Source = RotationSource.Random, Values = kind is not ("dora" or "head") };
        using var scheduler = Scheduler(lora, frozen, options, optimizer, average);
        for (int step = 1; step <= 3; step++)
        {
            var done = scheduler.Apply(step, () => LoraRun.Loss(lora, 1));
            done.Spaces.ShouldAllBe(space => space.Skipped == null && space.Angle > 1);
        }

        Near(LoraRun.Logits(decoder), before, 1e-11);
        Near(Averaged(), averaged, 1e-11);
        LoraRun.Largest(start, Factors(lora)).ShouldBeGreaterThan(1e-2);
        lora.Save(
            _folder["adapter"],
            new LoraSaveOptions { Gauge = AdapterGauge.Original, Rotated = frozen, Dtype = Dtype.F64 });
        using var checkpoint = Checkpoint.Open(_folder["base"]);
        using var adapter = Adapter.Open(_folder["adapter"]);
        using var again = Decoder.Load(checkpoint, ComputePrecision.F64);
        double[] plain = LoraRun.Logits(again);
        using (LoraModel.Load(again, adapter.Bind(checkpoint))) Near(LoraRun.Logits(again), before, kind == "pissa" ? 1e-6 : 1e-11);
        if (kind != "pissa") LoraRun.Largest(plain, before).ShouldBeGreaterThan(1e-2);

        double[] Averaged()
        {
            using var swapped = average.SwapIn();
            return LoraRun.Logits(decoder);
        }
    }

    /// <summary>However many rotations there were, a weight of the base is one product from what it was.</summary>
    [Fact]
    public void Apply_ManyTimes_LeavesNoDriftInTheBase()
    {
        using var decoder = TinyFamilies.Create("mistral", dtype: ScalarType.Float32);
        using var lora = LoraModel.Attach(decoder, Config(decoder, "plain"));
        LoraRun.Disturb(lora);
        const string name = "model.layers.0.mlp.down_proj.weight";
        using Tensor first = decoder.get_parameter(name)!.detach().to(ScalarType.Float64, copy: true);
        using var frozen = Frozen(lora);
        using var scheduler = Scheduler(lora, frozen, new RotationOptions { Source = RotationSource.Random });
        for (int step = 1; step <= 200; step++) scheduler.Apply(step);
        using var total = tensor(scheduler.TotalOf(scheduler.Spaces[0]));
        double[] expected = LoraRun.Values(total.t().matmul(first)), live = LoraRun.Values(decoder.get_parameter(name)!);
        LoraRun.Largest(live, expected).ShouldBeLessThan(3e-7 * expected.Max(Math.Abs));

        // To the bit what another one has that was never rotated before.
        frozen.Refresh();
        LoraRun.Values(decoder.get_parameter(name)!).ShouldBe(live);
    }

    [Theory]
    [InlineData("sgd")]
    [InlineData("momentum")]
    [InlineData("muon")]
    public void Apply_EquivariantOptimizer_ChangesNoLoss(string optimizer)
    {
        double[] plain = Losses(optimizer, null);
        foreach (var source in (RotationSource[])[RotationSource.Random, RotationSource.Gradient, RotationSource.Hadamard])
        {
            double[] rotated = Losses(optimizer, source);
            plain.Zip(rotated, (x, y) => Math.Abs(x - y)).Max().ShouldBeLessThan(1e-9, source.ToString());
            rotated[..Before].ShouldBe(plain[..Before]);
            rotated.ShouldNotBe(plain);
        }

        (plain[0] - plain[^1]).ShouldBeGreaterThan(1e-3);
    }

    [Fact]
    public void Apply_AdamW_ChangesTheLossAfterwards()
    {
        double[] plain = Losses("adamw", null), rotated = Losses("adamw", RotationSource.Random);
        plain.Zip(rotated, (x, y) => Math.Abs(x - y)).Max().ShouldBeGreaterThan(1e-4);
        plain[..(Before + 1)].Zip(rotated, (x, y) => Math.Abs(x - y)).Max().ShouldBeLessThan(1e-11);
    }

    /// <summary>Factors that do not follow are another adapter, and what was done goes back, the kept weights too.</summary>
    [Theory]
    [InlineData("lora_A")]
    [InlineData("lora_B")]
    public void Apply_PlanWithoutAFactor_IsTakenBack(string factor)
    {
        using var decoder = TinyFamilies.Create("mistral");
        using var lora = LoraModel.Attach(decoder, Config(decoder, "plain"));
        LoraRun.Disturb(lora);
        var plan = lora.BaseRotationPlan();
        plan = plan with
        {
            Spaces =
            [
                .. plan.Spaces.Select(space => space with
                {
                    Slices = [.. space.Slices.Where(slice => !slice.Tensor.Contains(factor, StringComparison.Ordinal))],
                }),
            ],
        };
        using var frozen = Frozen(lora);
        using var scheduler = new RotationScheduler(
            lora.AllParameters, plan, new RotationOptions { Source = RotationSource.Random }, lora, frozen);
        double[] before = All(lora);
        Should.Throw<WiscaException>(() => scheduler.Apply(3, () => LoraRun.Loss(lora, 1))).Message.ShouldEndWith("it was taken back");
        All(lora).ShouldBe(before);
        using (no_grad()) frozen.Refresh();
        LoraRun.Largest(All(lora), before).ShouldBeLessThan(1e-13);
    }

    [Theory]
    [InlineData(
        "dora",
        "module 'model.layers.0.self_attn.o_proj' has magnitudes (DoRA), one for each output, and its outputs would be turned")]
    [InlineData(
        "norm",
        "'model.layers.0.input_layernorm.weight' is trained whole: what a norm learns in another basis has no form for the base as it is")]
    public void Create_WhatCannotFollow_IsRefusedWithTheReason(string kind, string reason)
    {
        using var decoder = TinyFamilies.Create("mistral");
        var settings = kind == "norm"
            ? new AdapterSettings { Targets = TargetModules.Of("q_proj"), SavedModules = ["input_layernorm"], Rank = 2, Alpha = 2 }
            : new AdapterSettings { Targets = TargetModules.Of("o_proj"), Dora = true, Rank = 2, Alpha = 2 };
        using var lora = LoraModel.Attach(decoder, AdapterConfig.Create(settings));
        lora.BaseRotationPlan().Refusals.ShouldContain(refusal => refusal.Kind == RotationKind.Stream && refusal.Reason == reason);
        Should.Throw<WiscaException>(() => Scheduler(lora, null, new RotationOptions())).Message.ShouldBe(
            $"rotate stream: not exact in this model: {reason}");
    }

    /// <summary>Heads of which neither side is adapted: their basis is nobody's.</summary>
    [Fact]
    public void BaseRotationPlan_HeadsWithoutAnAdapter_AreLeftOut()
    {
        using var decoder = TinyFamilies.Create("mistral");
        using var lora = LoraModel.Attach(decoder, AdapterConfig.Create(
            new AdapterSettings { Targets = TargetModules.Of("up_proj"), Rank = 2, Alpha = 2 }));
        lora.BaseRotationPlan().Spaces.Select(space => space.Kind).ShouldBe([RotationKind.Stream]);
    }

    private static double[] Losses(string kind, RotationSource? source)
    {
        using var decoder = TinyFamilies.Create("mistral");
        using (no_grad())
        {
            // Gains act channel by channel, under any optimizer: ones stay ones.
            foreach (var gain in RotationScheduler.PlanFor(decoder).Spaces[0].Gains)
                decoder.get_parameter(gain.Tensor)!.fill_(1.ToScalar());
        }

        using var lora = LoraModel.Attach(decoder, Config(decoder, "plain"));
        using Optimizer optimizer = kind switch
        {
            "adamw" => new AdamW(lora.Parameters),
            "muon" => new Muon(lora.Parameters, new MuonOptions { HeadPatterns = [] }),
            _ => new SgdMomentum(lora.Parameters, new SgdMomentumOptions { Momentum = kind == "sgd" ? 0 : 0.9 }),
        };
        using var frozen = Frozen(lora);
        using var scheduler = Scheduler(
            lora, frozen,
            new RotationOptions { Source = source ?? RotationSource.Identity, Values = true, Start = Before, Every = 20 }, optimizer);
        return
        [
            .. Enumerable.Range(0, Steps).Select(step =>
            {
                double loss = LoraRun.Backward(lora, step % 4);
                scheduler.Observe(step);
                optimizer.ClipGradients(1);
                optimizer.Step(kind switch { "sgd" => 0.3, "momentum" => 0.1, _ => 5e-3 });
                if (source is not null) scheduler.Step(step + 1);
                return loss;
            }),
        ];
    }

    /// <summary>
    /// A base in 16 bits: after hundreds of rotations its weights are those that were read, turned once and rounded once. In single
    /// precision the function moves by no more than rounding, however many there were.
    /// </summary>
    [Theory]
    [InlineData(ScalarType.BFloat16, 300)]
    [InlineData(ScalarType.Float32, 1000)]
    public void Apply_ManyTimes_BaseIsOneProductFromWhatWasRead(ScalarType type, int times)
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyFamilies.Create("mistral", dtype: type);
        var kept = decoder.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter.detach().clone());
        using var lora = LoraModel.Attach(decoder, Config(decoder, "plain"));
        LoraRun.Disturb(lora);
        using var frozen = Frozen(lora);
        using var scheduler = Scheduler(lora, frozen, new RotationOptions { Source = RotationSource.Random, Values = true });
        double[] before = LoraRun.Logits(decoder);
        double first = 0;
        for (int step = 1; step <= times; step++)
        {
            scheduler.Apply(step);
            if (step == 1) first = Moved();
        }

        double tolerance = type == ScalarType.BFloat16 ? 0.06 : 1e-5;
        first.ShouldBeLessThan(tolerance);
        Moved().ShouldBeLessThan(tolerance);
        var stream = scheduler.Spaces.Single(space => space.Kind == RotationKind.Stream);
        OrthogonalMatrix.Fault(scheduler.TotalOf(stream)).ShouldBeLessThan(1e-11);
        const string name = "model.embed_tokens.weight";
        var exact = kept[name].to(ScalarType.Float64).matmul(tensor(scheduler.TotalOf(stream)));
        double[] live = LoraRun.Values(decoder.get_parameter(name)!), expected = LoraRun.Values(exact);
        double unit = type == ScalarType.BFloat16 ? 0.004 : 1e-6;
        LoraRun.Largest(live, expected).ShouldBeLessThan(unit * expected.Max(Math.Abs));
        frozen.StateOf(name).Single().Tensor.Equals(kept[name]).ShouldBeTrue();

        double Moved() => LoraRun.Largest(LoraRun.Logits(decoder), before) / before.Max(Math.Abs);
    }

    private static AdapterConfig Config(Decoder decoder, string kind) => AdapterConfig.Create(
        new AdapterSettings
        {
            Targets = kind switch
            {
                "head" => TargetModules.Of("q_proj", "lm_head"),
                "whole" => TargetModules.Of("q_proj", "down_proj"),
                "dora" => decoder.named_modules().Any(entry => entry.name.EndsWith("query_key_value", StringComparison.Ordinal))
                    ? TargetModules.Of("query_key_value", "dense_h_to_4h")
                    : TargetModules.Of("q_proj", "k_proj", "v_proj", "up_proj"),
                _ => TargetModules.AllLinear,
            },
            SavedModules = kind == "whole" ? ["embed_tokens", "lm_head", "o_proj"] : [],
            Rank = 4,
            Alpha = 5,
            Dora = kind == "dora",
            Initialization = kind == "pissa" ? LoraInitialization.Pissa : LoraInitialization.Default,
        });

    private static FrozenWeights Frozen(LoraModel lora) => new(lora.AllParameters, lora.BaseRotationPlan());

    private static RotationScheduler Scheduler(
        LoraModel lora, FrozenWeights? frozen, RotationOptions options, params IReadOnlyList<IParameterState> states) => new(
        lora.AllParameters, lora.BaseRotationPlan(), options, frozen is null ? [.. states, lora] : [.. states, lora, frozen]);

    private static void Near(double[] values, double[] expected, double tolerance) =>
        LoraRun.Largest(values, expected).ShouldBeLessThan(tolerance * expected.Max(Math.Abs));

    private static double[] Factors(LoraModel lora) => [.. lora.Parameters.SelectMany(entry => LoraRun.Values(entry.parameter))];

    private static double[] All(LoraModel lora) => [.. lora.AllParameters.SelectMany(entry => LoraRun.Values(entry.Parameter))];
}
