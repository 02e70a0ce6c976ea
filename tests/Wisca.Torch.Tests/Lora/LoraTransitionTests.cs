using Wisca.Adapters;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Lora;
using Wisca.Torch.Models;
using Wisca.Torch.Optimizers;
using Wisca.Torch.Proofs;
using Wisca.Torch.Transitions;
using Wisca.Transitions;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Lora;

/// <summary>Bases that move under their adapters, in training and on disk.</summary>
[Collection(TorchCollection.Name)]
public sealed class LoraTransitionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, bool, LoraInitialization, string> Cases => new()
    {
        { "llama", false, LoraInitialization.Default, "" },
        { "llama", true, LoraInitialization.Default, "" },
        { "llama", false, LoraInitialization.Pissa, "" },
        { "gpt2", true, LoraInitialization.Gaussian, "" },
        { "gpt_neox", false, LoraInitialization.Default, "" },
        { "falcon", true, LoraInitialization.Default, "" },
        { "mistral", false, LoraInitialization.Default, "v_proj" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Apply_OnTheBase_MovesTheAdapterAndCanBeExpressedForEither(
        string modelType, bool dora, LoraInitialization initialization, string saved)
    {
        using var decoder = TinyFamilies.Create(modelType);
        decoder.Save(_folder["base"], new SaveOptions { Dtype = Dtype.F64 });
        var targets = saved.Length > 0 ? TargetModules.Of("q_proj", "k_proj", "o_proj") : TargetModules.AllLinear;
        var config = AdapterConfig.Create(
            new AdapterSettings
            {
                Targets = targets,
                Rank = 3,
                Dora = dora,
                Initialization = initialization,
                SavedModules = saved.Length > 0 ? [saved] : [],
            });
        using var lora = LoraModel.Attach(decoder, config);
        using var optimizer = new AdamW(lora.Parameters);
        bool rotates = decoder.Config.Layers[0].Rope is not null;
        var transitions = new TransitionOptions
        {
            QueryKey = rotates ? Granularity.Pair : Granularity.Channel,
            ValueOutput = Granularity.Channel,
            Balance = new BalanceOptions(Criterion.L2, FactorRounding.None),
        };
        var plan = lora.BasePlan(transitions);
        var scheduler = new WiscaScheduler(
            lora.AllParameters,
            plan,
            new WiscaOptions
            {
                Transitions = transitions,
                Trigger = new WiscaTrigger { Every = 3 },
            },
            optimizer,
            lora);
        for (int step = 0; step <= 7; step++)
        {
            double[] before = LoraRun.Logits(decoder);
            if (scheduler.Step(step) is not null) LoraRun.Largest(LoraRun.Logits(decoder), before).ShouldBeLessThan(1e-10, $"step {step}");
            LoraRun.Backward(lora, step);
            optimizer.Step(0.02);
        }

        scheduler.Transitions.ShouldBe(3);
        double[] trained = LoraRun.Logits(decoder);
        var total = scheduler.Total();
        total.Groups.Select(entry => Math.Abs(Math.Log2(entry.Balance.Factor))).Max().ShouldBeGreaterThan(0.2);
        lora.Save(
            _folder["original"],
            new LoraSaveOptions
            {
                Gauge = AdapterGauge.Original,
                Transitions = total,
                LoadedBaseIsOriginal = true,
                Dtype = Dtype.F64,
            });
        lora.Save(_folder["rescaled"], new LoraSaveOptions { Transitions = total, Dtype = Dtype.F64 });

        // For the base as it was loaded.
        Logits("base", "original", (logits, _) => LoraRun.Largest(logits, trained).ShouldBeLessThan(1e-9));

        // For the base as the transitions left it, whose ledger the adapter's must fit.
        // PiSSA's base is written whole, without what was taken out.
        lora.Dispose();
        decoder.Save(_folder["moved"], new SaveOptions { Dtype = Dtype.F64 });
        TrainedMove.Write(_folder["moved"], plan, scheduler.Product, []);
        Logits("moved", "rescaled", (logits, _) => LoraRun.Largest(logits, trained).ShouldBeLessThan(1e-9));
        Should
            .Throw<WiscaException>(() => Logits("base", "rescaled", (_, _) => { }))
            .Message.ShouldContain("expressed for a rescaled base");
        Should
            .Throw<WiscaException>(() => Logits("moved", "original", (_, _) => { }))
            .Message.ShouldContain("expressed for the original base");

        // And the ledger takes the one back to the other.
        using (var adapter = Adapter.Open(_folder["rescaled"])) AdapterRescaler.Undo(adapter, _folder["undone"]);
        Logits("base", "undone", (logits, _) => LoraRun.Largest(logits, trained).ShouldBeLessThan(1e-9));
    }

    /// <summary>The way of one who trains elsewhere: rescale the base on disk,
    /// train an adapter on it, publish it for the public checkpoint.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Express_AdapterTrainedOnARescaledBase_GivesTheSameLogitsOnTheOriginal(bool dora)
    {
        using (var decoder = TinyFamilies.Create("llama", dtype: ScalarType.Float32)) decoder.Save(_folder["base"]);
        using (var checkpoint = Checkpoint.Open(_folder["base"]))
            Rescaler.Rescale(
                checkpoint, _folder["rescaled"], new RescaleOptions { QueryKey = Granularity.Pair, ValueOutput = Granularity.Channel });
        double[] trained;
        using (var checkpoint = Checkpoint.Open(_folder["rescaled"]))
        using (var decoder = Decoder.Load(checkpoint))
        using (var lora = LoraModel.Attach(decoder, LoraRun.Config(dora: dora)))
        using (var optimizer = new AdamW(lora.Parameters))
        {
            double[] start = LoraRun.Logits(decoder);
            for (int step = 0; step < 10; step++)
            {
                LoraRun.Backward(lora, step);
                optimizer.Step(0.02);
            }

            trained = LoraRun.Logits(decoder);
            LoraRun.Largest(trained, start).ShouldBeGreaterThan(0.1);
            lora.Save(_folder["adapter"]);
        }

        using (var checkpoint = Checkpoint.Open(_folder["rescaled"]))
        using (var adapter = Adapter.Open(_folder["adapter"]))
            AdapterRescaler.Express(adapter.Bind(checkpoint), AdapterGauge.Original, _folder["published"]);
        Logits("base", "published", (logits, _) => LoraRun.ShouldBeNear(logits, trained), ComputePrecision.F32);
    }

    [Theory]
    [InlineData("gpt2", true)]
    [InlineData("mixtral", false)]
    public void Compare_MergedOnDisk_IsTheModelWithItsAdapter(string modelType, bool dora)
    {
        using (var decoder = TinyFamilies.Create(modelType, dtype: ScalarType.Float32))
        {
            decoder.Save(_folder["base"]);
            using var lora = LoraModel.Attach(decoder, LoraRun.Config(dora: dora));
            LoraRun.Disturb(lora);
            lora.Save(_folder["adapter"]);
        }

        using var checkpoint = Checkpoint.Open(_folder["base"]);
        using var adapter = Adapter.Open(_folder["adapter"]);
        var binding = adapter.Bind(checkpoint);
        Merger.Merge(binding, _folder["merged"]);
        using var merged = Checkpoint.Open(_folder["merged"]);
        int[] tokens = RandomTokens.Draw(16, TinyFamilies.Vocabulary, 1);
        var proof = ForwardProof.Compare(checkpoint, merged, tokens, new ForwardProofOptions { Adapter = binding });
        proof.Equivalent.ShouldBeTrue(proof.Reason);
        ForwardProof.Compare(checkpoint, merged, tokens).MaxDifference.ShouldBeGreaterThan(0.01);
    }

    private void Logits(string model, string name, Action<double[], Decoder> check, ComputePrecision precision = ComputePrecision.F64)
    {
        using var checkpoint = Checkpoint.Open(_folder[model]);
        using var adapter = Adapter.Open(_folder[name]);
        using var decoder = Decoder.Load(checkpoint, precision);
        using var lora = LoraModel.Load(decoder, adapter.Bind(checkpoint));
        check(LoraRun.Logits(decoder), decoder);
    }
}
