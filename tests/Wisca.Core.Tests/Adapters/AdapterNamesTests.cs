using Wisca.Adapters;
using Wisca.Checkpoints;
using Wisca.Tests;

namespace Wisca.Core.Tests.Adapters;

/// <summary>One model under the names of several generations of transformers, and of what wraps models.</summary>
public sealed class AdapterNamesTests : IDisposable
{
    private static readonly string[] Generations = ["model.", "language_model.model.", "model.language_model."];
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string, string> Pairs =>
        [.. from model in Generations from adapter in Generations select (model, adapter)];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Bind_Generations_AreOneTree(string model, string adapter)
    {
        WriteBase(model);
        WriteAdapter("base_model.model." + adapter);
        using var opened = Adapter.Open(_folder["a"]);
        using var checkpoint = Checkpoint.Open(_folder["m"]);
        var binding = opened.Bind(checkpoint);
        binding.Modules.Select(bound => bound.Weight.Info.Name).ShouldContain(model + "layers.1.self_attn.q_proj.weight");
        binding.Renamed.ShouldBe(model == adapter ? [] : [(adapter, model)]);
        binding.Missing.ShouldBeNull();
    }

    [Theory]
    [InlineData("base_model.model.base_model.model.model.")]
    [InlineData("base_model.model._orig_mod.model.")]
    [InlineData("_orig_mod.base_model.model.model.")]
    [InlineData("module.base_model.model.model.")]
    [InlineData("base_model.model.module.model.")]
    [InlineData("module._orig_mod.base_model.model._fsdp_wrapped_module.model.")]
    public void Open_WrappersInNames_AreTakenOff(string prefix)
    {
        WriteBase("model.");
        WriteAdapter(prefix);
        using var opened = Adapter.Open(_folder["a"]);
        using var checkpoint = Checkpoint.Open(_folder["m"]);
        var binding = opened.Bind(checkpoint);
        binding.Modules.Length.ShouldBe(8);
        binding.Renamed.ShouldBeEmpty();
    }

    [Fact]
    public void Bind_SeveralTensorsThatCouldBeMeant_IsRefused()
    {
        var llama = new SmallLlama();
        TestCheckpoint.Write(
            _folder["m"], llama.Config,
            [
                .. llama.Tensors().Select(tensor => tensor with { Name = "language_model." + tensor.Name }),
                .. llama.Tensors().Select(tensor => tensor with { Name = "transformer" + tensor.Name["model".Length..] }),
            ]);
        WriteAdapter("base_model.model.model.");
        using var opened = Adapter.Open(_folder["a"]);
        using var checkpoint = Checkpoint.Open(_folder["m"]);
        Should.Throw<WiscaException>(() => opened.Bind(checkpoint)).Message
            .ShouldContain("several tensors of the base could be model.layers.0.self_attn.k_proj.weight");
    }

    [Theory]
    [InlineData("language_model.model.layers.0.mlp.up_proj.weight", "layers.0.mlp.up_proj.weight")]
    [InlineData("model.language_model.layers.0.mlp.up_proj.weight", "layers.0.mlp.up_proj.weight")]
    [InlineData("transformer.h.0.attn.c_attn.weight", "h.0.attn.c_attn.weight")]
    [InlineData("model.vision_tower.layers.0.q_proj", "vision_tower.layers.0.q_proj")]
    [InlineData("module._orig_mod.model.layers.0._orig_mod.q", "layers.0.q")]
    [InlineData("embed_out.weight", "lm_head.weight")]
    [InlineData("language_model.lm_head.weight", "lm_head.weight")]
    [InlineData("model", "model")]
    public void Canonical_Names_LoseRootsAndWrappers(string name, string expected) => ModuleNames.Canonical(name).ShouldBe(expected);

    [Fact]
    public void Bind_CasesOfFiles_EveryPairFits()
    {
        foreach (string model in (string[])["old", "new"])
        {
            foreach (string adapter in (string[])["old", "new", "text"])
            {
                using var opened = Adapter.Open(TestData.Require("cases", "multimodal-adapter-names", $"adapter-{adapter}-names"));
                using var checkpoint = Checkpoint.Open(TestData.Require("cases", "multimodal-adapter-names", $"base-{model}-names"));
                var binding = opened.Bind(checkpoint);
                binding.Modules.Length.ShouldBe(4);
                binding.Renamed.Length.ShouldBe(model == adapter ? 0 : 1);
            }
        }
    }

    private void WriteBase(string root)
    {
        var llama = new SmallLlama();
        llama.Write(
            _folder["m"],
            [
                .. llama.Tensors().Select(tensor => tensor with { Name = root + tensor.Name["model.".Length..] }),
                new TestTensor("vision_tower.layers.0.self_attn.q_proj.weight", "F32", [4, 4], new byte[64]),
            ]);
    }

    private void WriteAdapter(string prefix)
    {
        var adapter = SmallAdapter.Of(new SmallLlama());
        const string written = "base_model.model.model.";
        adapter.Write(_folder["a"], adapter.Tensors().Select(tensor => tensor with { Name = prefix + tensor.Name[written.Length..] }));
    }
}
