using System.Text.Json.Nodes;
using Wisca.Adapters;
using Wisca.Checkpoints;
using Wisca.Tests;

namespace Wisca.Core.Tests.Adapters;

public sealed class AdapterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_NoFolder_Fails() =>
        Should.Throw<WiscaException>(() => Adapter.Open(_folder["none"])).Message.ShouldContain("does not exist");

    [Fact]
    public void Open_PickledWeightsOnly_PointsAtSafetensors()
    {
        SmallAdapter.Of(new SmallLlama()).Write(_folder["a"]);
        File.Move(_folder["a", "adapter_model.safetensors"], _folder["a", "adapter_model.bin"]);
        var exception = Should.Throw<WiscaException>(() => Adapter.Open(_folder["a"]));
        exception.Message.ShouldContain("adapter_model.safetensors");
        exception.Hint!.ShouldContain("safe_serialization");
    }

    public static TheoryData<string, string> BrokenTensors => new()
    {
        { "no B", "there is no 'base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight'" },
        { "rank", "says rank 3" },
        { "prefix", "expected a name that begins with base_model.model." },
        { "embedding", "there is no 'base_model.model.model.embed_tokens.lora_embedding_B'" },
        { "convolution", "is LoRA of a convolution, which is not supported" },
        { "twice", "are one tensor under two names" },
        { "bias", "but lora_bias is false" },
        { "unknown", "is not known" },
        { "integers", "is stored as I8" },
        { "magnitude", "but use_dora is false" },
        { "not a target", "target_modules does not name it" },
    };

    [Theory]
    [MemberData(nameof(BrokenTensors))]
    public void Open_BrokenTensors_AreNamed(string fault, string expected)
    {
        var adapter = SmallAdapter.Of(new SmallLlama { Layers = 1 });
        var tensors = adapter.Tensors();
        const string stem = "base_model.model.model.layers.0.self_attn.q_proj";
        int a = tensors.FindIndex(tensor => tensor.Name == stem + ".lora_A.weight");
        switch (fault)
        {
            case "no B": tensors.RemoveAll(tensor => tensor.Name == stem + ".lora_B.weight"); break;
            case "rank": tensors[a] = tensors[a] with { Shape = [2, 16], Bytes = tensors[a].Bytes[..(2 * 16 * 4)] }; break;
            case "prefix": tensors[a] = tensors[a] with { Name = "model.layers.0.self_attn.q_proj.lora_A.weight" }; break;
            case "embedding":
                tensors.Add(new TestTensor("base_model.model.model.embed_tokens.lora_embedding_A", "F32", [1], new byte[4]));
                break;
            case "convolution": tensors[a] = tensors[a] with { Shape = [3, 4, 4] }; break;
            case "twice": tensors.Add(tensors[a] with { Name = "base_model.model." + tensors[a].Name }); break;
            case "bias": tensors.Add(new TestTensor(stem + ".lora_B.bias", "F32", [32], new byte[32 * 4])); break;
            case "unknown": tensors.Add(new TestTensor(stem + ".lora_C.weight", "F32", [1], new byte[4])); break;
            case "integers": tensors[a] = tensors[a] with { Dtype = "I8", Bytes = new byte[3 * 16] }; break;
            case "magnitude": tensors.Add(new TestTensor(stem + ".lora_magnitude_vector", "F32", [32], new byte[32 * 4])); break;
            default:
                tensors.Add(
                    new TestTensor("base_model.model.model.layers.0.mlp.down_proj.lora_A.weight", "F32", [3, 8], new byte[3 * 8 * 4]));
                tensors.Add(
                    new TestTensor("base_model.model.model.layers.0.mlp.down_proj.lora_B.weight", "F32", [16, 3], new byte[16 * 3 * 4]));
                break;
        }

        adapter.Write(_folder["a"], tensors);
        Should.Throw<WiscaException>(() => Adapter.Open(_folder["a"]).Dispose()).Message.ShouldContain(expected);
    }

    [Theory]
    [InlineData("hidden", "but the factors are for [32, 16]")]
    [InlineData("layers", "the base has no model.layers.1.self_attn.k_proj.weight")]
    public void Bind_AnotherBase_ListsDifferences(string what, string expected)
    {
        SmallAdapter.Of(new SmallLlama()).Write(_folder["a"]);
        (what == "hidden" ? new SmallLlama { Hidden = 24 } : new SmallLlama { Layers = 1 }).Write(_folder["m"]);
        using var adapter = Adapter.Open(_folder["a"]);
        using var checkpoint = Checkpoint.Open(_folder["m"]);
        var exception = Should.Throw<WiscaException>(() => adapter.Bind(checkpoint));
        exception.Message.ShouldContain(expected);
        exception.Hint!.ShouldContain("tests/small");
    }

    [Fact]
    public void Bind_NamesWithoutRoot_AreFound()
    {
        var llama = new SmallLlama();
        SmallAdapter.Of(llama).Write(_folder["a"]);
        llama.Write(_folder["m"], [.. llama.Tensors().Select(tensor => tensor with { Name = tensor.Name["model.".Length..] })]);
        using var adapter = Adapter.Open(_folder["a"]);
        using var checkpoint = Checkpoint.Open(_folder["m"]);
        adapter.Bind(checkpoint).Modules.Select(bound => bound.Weight.Info.Name).ShouldContain("layers.1.self_attn.o_proj.weight");
    }

    [Fact]
    public void Bind_SavedTensorOfAnotherVocabulary_IsRefused()
    {
        (
            SmallAdapter.Of(new SmallLlama()) with
            {
                Saved = [new TestTensor("base_model.model.model.embed_tokens.weight", "F32", [12, 16], new byte[12 * 16 * 4])],
            }
        ).Write(_folder["a"]);
        new SmallLlama().Write(_folder["m"]);
        using var adapter = Adapter.Open(_folder["a"]);
        using var checkpoint = Checkpoint.Open(_folder["m"]);
        Should
            .Throw<WiscaException>(() => adapter.Bind(checkpoint))
            .Message.ShouldContain("model.embed_tokens.weight is F32 [11, 16], but the adapter stores [12, 16]");
    }

    [Theory]
    [InlineData("gemma3-270m-qkvo-r4", 72, 4.0)]
    [InlineData("gemma3-270m-qv-r8", 36, 4.0)]
    [InlineData("gptneox-opencalm1b-qkv-r1-f16", 24, 32.0)]
    public void Save_RealAdapter_GivesTheSameTensorsAndConfiguration(string name, int modules, double scale)
    {
        string source = TestData.Require("adapters", name);
        using (var adapter = Adapter.Open(source))
        {
            adapter.Modules.Length.ShouldBe(modules);
            adapter.Modules.ShouldAllBe(module => module.Scale == scale);
            adapter.Save(_folder["out"]);
        }

        var before = TestCheckpoint.Read(source);
        var after = TestCheckpoint.Read(_folder["out"]);
        after.Keys.ShouldBe(before.Keys);
        after.ShouldAllBe(tensor =>
            tensor.Value.Dtype == before[tensor.Key].Dtype
            && tensor.Value.Shape.SequenceEqual(before[tensor.Key].Shape)
            && tensor.Value.Bytes.SequenceEqual(before[tensor.Key].Bytes));
        JsonNode.DeepEquals(Json(_folder["out"]), Json(source)).ShouldBeTrue();

        static JsonNode? Json(string folder) => JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "adapter_config.json")));
    }
}
