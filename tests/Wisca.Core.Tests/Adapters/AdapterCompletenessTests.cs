using System.Text.Json.Nodes;
using Wisca.Adapters;
using Wisca.Checkpoints;
using Wisca.Tests;

namespace Wisca.Core.Tests.Adapters;

public sealed class AdapterCompletenessTests : IDisposable
{
    private static readonly SmallLlama Llama = new();
    private readonly TemporaryFolder _folder = new();

    public AdapterCompletenessTests() => Llama.Write(_folder["m"]);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("""["q_proj", "k_proj", "v_proj", "o_proj"]""", null)]
    [InlineData("\".*self_attn.*\"", null)]
    [InlineData("""["q_proj", "k_proj", "v_proj", "o_proj", "up_proj"]""", null)]
    [InlineData(
        """["q_proj", "k_proj", "v_proj", "o_proj", "down_proj"]""",
        "target_modules names 10 modules of this base and the file has factors for 8 (no model.layers.0.mlp.down_proj, "
        + "model.layers.1.mlp.down_proj)")]
    [InlineData("\"all-linear\"", "names 10 modules of this base and the file has factors for 8")]
    [InlineData("\"all-linear\", \"exclude_modules\": [\"down_proj\"]", null)]
    [InlineData("\"all-linear\", \"exclude_modules\": \".*mlp.*\"", null)]
    [InlineData("\".*proj\", \"modules_to_save\": [\"mlp\"]", "modules_to_save names 2 tensors of this base and the file has 0")]
    [InlineData("""["q_proj", "k_proj", "v_proj", "o_proj"], "modules_to_save": ["classifier", "score"]""", null)]
    [InlineData(
        """["q_proj", "k_proj", "v_proj", "o_proj"], "modules_to_save": ["norm"]""",
        "modules_to_save names 1 tensors of this base and the file has 0 (no norm.weight)")]
    [InlineData(
        """["q_proj", "k_proj", "v_proj", "o_proj"], "trainable_token_indices": [1]""",
        "trainable_token_indices names rows of the embedding and the file has none")]
    [InlineData(
        """["q_proj", "k_proj", "v_proj", "o_proj", "embed_tokens"]""",
        "target_modules names 9 modules of this base and the file has factors for 8 (no model.embed_tokens)")]
    public void Bind_WhatTheConfigurationNames_IsThereOrNamed(string targets, string? expected)
    {
        (SmallAdapter.Of(Llama) with { Edit = json => Set(json, targets) }).Write(_folder["a"]);
        Missing(expected);
    }

    [Theory]
    [InlineData("0", null)]
    [InlineData("1", "names 4 modules of this base and the file has factors for 0")]
    [InlineData("[0, 1]", "names 8 modules of this base and the file has factors for 4")]
    [InlineData("null", "names 8 modules of this base and the file has factors for 4")]
    public void Bind_LayersToTransform_BoundWhatIsExpected(string layers, string? expected)
    {
        var all = SmallAdapter.Of(Llama);
        (all with
        {
            Modules = [.. all.Modules.Where(module => module.Name.Contains(".0.", StringComparison.Ordinal))],
            Edit = json => json["layers_to_transform"] = JsonNode.Parse(layers),
        }).Write(_folder["a"]);
        if (layers == "1")
        {
            // PEFT has no module for such factors at all.
            Should.Throw<WiscaException>(() => Adapter.Open(_folder["a"])).Message.ShouldContain("target_modules does not name it");
            return;
        }

        Missing(expected);
    }

    [Fact]
    public void Bind_DraftLayersExpertsAndTowers_AreNotExpected()
    {
        Llama.Write(
            _folder["m"],
            [
                .. Llama.Tensors(), Matrix("model.layers.2.self_attn.q_proj"), Matrix("model.visual.blocks.0.q_proj"),
                Matrix("model.layers.0.mlp.experts.0.o_proj"), Matrix("model.layers.0.mlp.gate"),
            ]);
        (SmallAdapter.Of(Llama) with { Edit = json => Set(json, """["q_proj", "k_proj", "v_proj", "o_proj", "gate"]""") })
            .Write(_folder["a"]);
        Missing(null);

        static TestTensor Matrix(string name) => new(name + ".weight", "F32", [4, 4], new byte[64]);
    }

    [Theory]
    [InlineData("adapter-one-layer", "names 4 modules of this base and the file has factors for 2")]
    [InlineData("adapter-no-k", "names 6 modules of this base and the file has factors for 4")]
    public void Bind_PartialAdaptersOfFiles_AreRefused(string name, string expected)
    {
        using var adapter = Adapter.Open(TestData.Require("cases", "partial-adapter", name));
        using var checkpoint = Checkpoint.Open(TestData.Require("cases", "partial-adapter", "base"));
        Should.Throw<WiscaException>(() => adapter.Bind(checkpoint)).Message.ShouldContain(expected);
        adapter.Bind(checkpoint, allowPartial: true).Missing!.ShouldContain(expected);
    }

    private void Missing(string? expected)
    {
        using var adapter = Adapter.Open(_folder["a"]);
        using var checkpoint = Checkpoint.Open(_folder["m"]);
        if (expected is null)
        {
            adapter.Bind(checkpoint).Missing.ShouldBeNull();
            return;
        }

        var exception = Should.Throw<WiscaException>(() => adapter.Bind(checkpoint));
        exception.Message.ShouldContain(expected);
        exception.Hint!.ShouldContain("--allow-partial");
        adapter.Bind(checkpoint, allowPartial: true).Missing!.ShouldContain(expected);
    }

    private static void Set(JsonObject json, string targets)
    {
        foreach (var (key, value) in JsonNode.Parse($$"""{"target_modules": {{targets}}}""")!.AsObject())
            json[key] = value?.DeepClone();
    }
}
