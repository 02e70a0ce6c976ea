using TorchSharp;
using Wisca.Adapters;
using Wisca.Checkpoints;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Lora;
using Wisca.Torch.Models;
using Wisca.Torch.Optimizers;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Lora;

[Collection(TorchCollection.Name)]
public sealed class LoraModelTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(TinyFamilies.ModelTypes), MemberType = typeof(TinyFamilies))]
    public void Forward_EveryLinearOfEveryFamily_IsTheMergedModel(string modelType)
    {
        foreach (bool dora in (bool[])[false, true])
        {
            using var decoder = TinyFamilies.Create(modelType);
            double[] plain = LoraRun.Logits(decoder);
            using (var lora = LoraModel.Attach(decoder, LoraRun.Config(dora: dora), seed: 7))
            {
                lora.Modules.ShouldNotContain(decoder.Config.Names.Head);
                LoraRun.Largest(LoraRun.Logits(decoder), plain).ShouldBeLessThan(dora ? 1e-11 : 1e-300);
                LoraRun.Disturb(lora);
                double[] adapted = LoraRun.Logits(decoder);
                LoraRun.Largest(adapted, plain).ShouldBeGreaterThan(1e-2);
                lora.Merge();
                LoraRun.Largest(LoraRun.Logits(decoder), adapted).ShouldBeLessThan(1e-10);
                lora.Unmerge();
                LoraRun.Logits(decoder).ShouldBe(adapted);
            }

            LoraRun.Logits(decoder).ShouldBe(plain);
            decoder.parameters().ShouldAllBe(parameter => parameter.requires_grad);
        }
    }

    [Fact]
    public void Backward_FrozenBase_HasNoGradients()
    {
        using var decoder = TinyFamilies.Create("llama");
        using var lora = LoraModel.Attach(decoder, LoraRun.Config());
        LoraRun.Disturb(lora);
        LoraRun.Backward(lora, 1);
        foreach (var parameter in decoder.parameters())
        {
            parameter.requires_grad.ShouldBeFalse();
            parameter.grad.ShouldBeNull();
        }

        lora.Parameters.ShouldAllBe(entry => entry.parameter.grad is object);
        lora.Summary.Trainable.ShouldBe(lora.Parameters.Sum(entry => entry.parameter.numel()));
        lora.Summary.Modules.ShouldBe(14);
    }

    [Theory]
    [InlineData(LoraInitialization.Pissa)]
    [InlineData(LoraInitialization.Olora)]
    public void Attach_FactorsOfTheBase_KeepTheFunctionAndItsForm(LoraInitialization initialization)
    {
        using var decoder = TinyFamilies.Create("gpt2");
        double[] plain = LoraRun.Logits(decoder);
        var before = decoder.named_parameters().ToDictionary(entry => entry.name, entry => LoraRun.Values(entry.parameter));
        using (var lora = LoraModel.Attach(decoder, LoraRun.Config(initialization: initialization)))
        {
            LoraRun.Largest(LoraRun.Logits(decoder), plain).ShouldBeLessThan(1e-12);
            LoraRun
                .Largest(
                    LoraRun.Values(decoder.named_parameters().First(entry => entry.name == "transformer.h.0.mlp.c_fc.weight").parameter),
                    before["transformer.h.0.mlp.c_fc.weight"])
                .ShouldBeGreaterThan(0.1);
            using var scope = NewDisposeScope();
            var parameters = lora.Parameters.ToDictionary(entry => entry.name, entry => (Tensor)entry.parameter);
            Tensor a = parameters["transformer.h.0.mlp.c_fc.lora_A.weight"], b = parameters["transformer.h.0.mlp.c_fc.lora_B.weight"];
            Tensor aat = a.matmul(a.t()), btb = b.t().matmul(b);
            if (initialization == LoraInitialization.Pissa) (aat - btb).abs().max().AsDouble().ShouldBeLessThan(1e-12);
            else (btb - eye(3, dtype: ScalarType.Float64)).abs().max().AsDouble().ShouldBeLessThan(1e-12);

            // What PEFT would save: twice the rank, for the whole base.
            LoraRun.Disturb(lora, 0.05);
            double[] trained = LoraRun.Logits(decoder);
            lora.Save(_folder["a"], new LoraSaveOptions { Dtype = Dtype.F64 });
            using var fresh = TinyFamilies.Create("gpt2");
            Reload(fresh, "a", adapter =>
            {
                adapter.Config.Rank.ShouldBe(6);
                adapter.Config.ChangesBase.ShouldBeFalse();
                LoraRun.Largest(LoraRun.Logits(fresh), trained).ShouldBeLessThan(1e-11);
            });
        }

        foreach (var (name, parameter) in decoder.named_parameters())
            LoraRun.Largest(LoraRun.Values(parameter), before[name]).ShouldBeLessThan(1e-14);
    }

    [Theory]
    [InlineData("gpt2", false)]
    [InlineData("llama", true)]
    [InlineData("mixtral", false)]
    public void Save_AndLoad_IsTheSameFunction(string modelType, bool dora)
    {
        using var decoder = TinyFamilies.Create(modelType, dtype: ScalarType.Float32);
        var config = AdapterConfig.Create(new AdapterSettings
        {
            Targets = TargetModules.AllLinear,
            Rank = 2,
            Ranks = [(@"layers\.1\..*", 4), (@"h\.1\..*", 4)],
            Alphas = [(".*[13].*", 7)],
            RankStabilized = true,
            Dora = dora,
            SavedModules = [decoder.Config.Names.FinalNorm],
        });
        using var lora = LoraModel.Attach(decoder, config);
        LoraRun.Disturb(lora);
        double[] trained = LoraRun.Logits(decoder);
        lora.Save(_folder["a"]);
        using var fresh = TinyFamilies.Create(modelType, dtype: ScalarType.Float32);
        Reload(fresh, "a", adapter =>
        {
            adapter.Config.FanInFanOut.ShouldBe(modelType == "gpt2");
            adapter.Saved.ShouldNotBeEmpty();
            adapter.Modules.Select(module => module.Rank).Distinct().Order().ShouldBe([2, 4]);
            LoraRun.ShouldBeNear(LoraRun.Logits(fresh), trained);
        });
    }

    [Fact]
    public void Attach_SixteenBitBase_TrainsFactorsInSinglePrecision()
    {
        using var decoder = TinyFamilies.Create("llama", dtype: ScalarType.BFloat16);
        var before = decoder.named_parameters().ToDictionary(entry => entry.name, entry => LoraRun.Values(entry.parameter));
        using var lora = LoraModel.Attach(decoder, LoraRun.Config());
        lora.Parameters.ShouldAllBe(entry => entry.parameter.dtype == ScalarType.Float32);
        using var optimizer = new AdamW(lora.Parameters, new AdamWOptions { Parameters = new ParameterSettings { WeightDecay = 0 } });
        double first = 0, last = 0;
        for (int step = 0; step < 20; step++)
        {
            last = LoraRun.Backward(lora, 1);
            if (step == 0) first = last;
            optimizer.Step(0.02);
        }

        last.ShouldBeLessThan(first - 0.5);
        foreach (var (name, parameter) in decoder.named_parameters()) LoraRun.Values(parameter).ShouldBe(before[name]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void BeginStep_SameStep_DropsTheSame(bool dora)
    {
        using var decoder = TinyFamilies.Create("llama");
        using var lora = LoraModel.Attach(decoder, LoraRun.Config(dora: dora, dropout: 0.4));
        LoraRun.Disturb(lora);
        double whole = LoraRun.Loss(lora, 1);
        lora.Training = true;
        lora.BeginStep(4);
        double[] first = [LoraRun.Loss(lora, 1), LoraRun.Loss(lora, 1)];
        lora.BeginStep(5);
        double other = LoraRun.Loss(lora, 1);
        lora.BeginStep(4);
        double[] again = [LoraRun.Loss(lora, 1), LoraRun.Loss(lora, 1)];
        again.ShouldBe(first);
        new[] { whole, first[0], first[1], other }.Distinct().Count().ShouldBe(4);
        lora.Training = false;
        LoraRun.Loss(lora, 1).ShouldBe(whole);
    }

    [Fact]
    public void Drop_Inputs_KeepTheirMean()
    {
        using var decoder = TinyFamilies.Create("llama");
        using var lora = LoraModel.Attach(decoder, LoraRun.Config(dropout: 0.3));
        lora.Training = true;
        using var scope = NewDisposeScope();
        var dropped = lora.Drop(ones(100_000, ScalarType.Float64));
        dropped.mean().AsDouble().ShouldBe(1, 0.01);
        dropped.eq(0).to(ScalarType.Float64).mean().AsDouble().ShouldBe(0.3, 0.01);
    }

    [Theory]
    [InlineData("llama", "q_porj", "", "target_modules names 'q_porj'")]
    [InlineData("llama", "embed_tokens", "", "target_modules names 'embed_tokens'")]
    [InlineData("llama", "lm_head", "", "target_modules names 'lm_head'")]
    [InlineData("mistral", "q_proj", "lm_heads", "modules_to_save names 'lm_heads'")]
    [InlineData("llama", "q_proj", "embed_tokens", "the output projection too")]
    [InlineData("mistral", "q_proj", "q_proj", "among target_modules and modules_to_save")]
    public void Attach_NamesThatDoNotFit_AreToldAndTheDecoderIsAsItWas(string modelType, string target, string saved, string expected)
    {
        using var decoder = TinyFamilies.Create(modelType);
        double[] plain = LoraRun.Logits(decoder);
        var config = AdapterConfig.Create(
            new AdapterSettings { Targets = TargetModules.Of(target), SavedModules = saved.Length > 0 ? [saved] : [] });
        Should.Throw<WiscaException>(() => LoraModel.Attach(decoder, config)).Message.ShouldContain(expected);
        LoraRun.Logits(decoder).ShouldBe(plain);
        decoder.parameters().ShouldAllBe(parameter => parameter.requires_grad);
        using var lora = LoraModel.Attach(decoder, LoraRun.Config());
    }

    [Fact]
    public void Attach_RankBeyondTheMatrix_IsRefusedForPissa()
    {
        using var decoder = TinyFamilies.Create("llama");
        Should
            .Throw<WiscaException>(() => LoraModel.Attach(decoder, LoraRun.Config(initialization: LoraInitialization.Pissa, rank: 17)))
            .Message.ShouldContain("rank 17");
    }

    [Fact]
    public void LoadState_AfterSaveState_GivesTheBitsBack()
    {
        using var decoder = TinyFamilies.Create("llama");
        double[] trained;
        using (var lora = LoraModel.Attach(decoder, LoraRun.Config(initialization: LoraInitialization.Pissa), seed: 1))
        {
            LoraRun.Disturb(lora);
            trained = LoraRun.Logits(decoder);
            lora.SaveState(_folder["state.safetensors"]);
        }

        using var fresh = TinyFamilies.Create("llama");
        using var again = LoraModel.Attach(fresh, LoraRun.Config(initialization: LoraInitialization.Pissa), seed: 1);
        again.LoadState(_folder["state.safetensors"]);
        LoraRun.Logits(fresh).ShouldBe(trained);
        using var third = TinyFamilies.Create("llama");
        using var other = LoraModel.Attach(third, LoraRun.Config(rank: 2), seed: 1);
        Should
            .Throw<WiscaException>(() => other.LoadState(_folder["state.safetensors"]))
            .Message.ShouldContain("the state is not that of this adapter");
    }

    [Fact]
    public void Steps_OfTraining_KeepNativeMemoryConstant()
    {
        using var decoder = TinyFamilies.Create("llama");
        using var lora = LoraModel.Attach(decoder, LoraRun.Config(dora: true, dropout: 0.1));
        lora.Training = true;
        LoraRun.Backward(lora, 1);
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (int step = 0; step < 5; step++) LoraRun.Backward(lora, step);
        DisposeScopeManager.Statistics.ThreadTotalLiveCount.ShouldBe(before);
    }

    private void Reload(Decoder fresh, string name, Action<Adapter> check)
    {
        fresh.Save(_folder["base"], new SaveOptions { Dtype = Dtype.F64 });
        using var checkpoint = Checkpoint.Open(_folder["base"]);
        using var adapter = Adapter.Open(_folder[name]);
        using var lora = LoraModel.Load(fresh, adapter.Bind(checkpoint));
        check(adapter);
    }
}
