using System.Text.Json.Nodes;
using Wisca.Adapters;
using Wisca.Checkpoints;
using Wisca.Core.Tests.Rotations;
using Wisca.Rescaling;
using Wisca.Rotations;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Adapters;

/// <summary>
/// Adapters that are rotated with their bases. The judge is merging, which knows nothing of rotations: a rotated base with its rotated
/// adapter is, tensor by tensor, the merged model rotated.
/// </summary>
public sealed class AdapterTurnTests : IDisposable
{
    private const int Hidden = 16, Inner = 20, Values = 8;
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static readonly (string Name, int Outputs, int Inputs)[] All =
    [
        .. from layer in Enumerable.Range(0, 2)
           from module in ((string, int, int)[])
           [
               ("self_attn.q_proj", Hidden, Hidden), ("self_attn.k_proj", Values, Hidden), ("self_attn.v_proj", Values, Hidden),
               ("self_attn.o_proj", Hidden, Hidden), ("mlp.gate_proj", Inner, Hidden), ("mlp.up_proj", Inner, Hidden),
               ("mlp.down_proj", Hidden, Inner),
           ]
           select ($"model.layers.{layer}.{module.Item1}", module.Item2, module.Item3),
    ];

    public static TheoryData<string, bool> Kinds =>
    [
        ("plain", false), ("plain", true), ("rslora", true), ("dora", false), ("embedding", true), ("saved", true), ("tokens", true),
        ("tied", false), ("tied head", false),
    ];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Rotate_ModelWithAdapter_MergesIntoTheRotatedMergedModel(string kind, bool heads)
    {
        var options = Options(heads);
        using var model = Write(kind);
        using var adapter = Adapter.Open(_folder["adapter"]);
        var binding = adapter.Bind(model);
        AdapterRescaler.Rotate(binding, _folder["rotated"], _folder["turned"], options);
        Merger.Merge(binding, _folder["merged"]);
        using var merged = Checkpoint.Open(_folder["merged"]);
        using var rotated = Checkpoint.Open(_folder["rotated"]);
        using var turned = Adapter.Open(_folder["turned"]);
        Merger.Merge(turned.Bind(rotated), _folder["both"]);
        using var both = Checkpoint.Open(_folder["both"]);
        double[][] expected = StreamModel.Logits(merged);
        Difference(expected, StreamModel.Logits(both)).ShouldBeLessThan(1e-11);
        Difference(expected, StreamModel.Logits(model)).ShouldBeGreaterThan(1e-2);

        // An untied head has its gain free, so that it may be rotated in another way.
        if (kind != "tied head")
        {
            Rotator.Rotate(merged, _folder["expected"], options);
            using var whole = Checkpoint.Open(_folder["expected"]);
            foreach (var tensor in whole.Tensors)
                Largest(StreamModel.Values(whole, tensor.Info.Name), StreamModel.Values(both, tensor.Info.Name))
                    .ShouldBeLessThan(1e-12, tensor.Info.Name);
        }

        // The original adapter is for another model now, which the ledgers tell, and undoing gives it back.
        Should.Throw<WiscaException>(() => Merger.Merge(turned.Bind(model), _folder["wrong"])).Message.ShouldContain("different moves");
        var undone = AdapterRescaler.Undo(turned, _folder["undone"]);
        undone.Moves.ShouldBe(1);
        undone.TrainedTensors.ShouldBeEmpty();
        Same(adapter, "undone", 1e-12);
        Directory.GetFiles(_folder["undone"], "wisca-rotation-*").ShouldBeEmpty();
    }

    [Fact]
    public void Rotate_LayerNormWithBiases_MergesIntoTheRotatedMergedModel()
    {
        new StreamModel(tied: false, layerNorm: true).Write(_folder["model"], Dtype.F64);
        using var model = Checkpoint.Open(_folder["model"]);
        Small(
            [
                .. from layer in Enumerable.Range(0, 2)
                   from module in ((string, int, int)[])
                   [
                       ("attention.query_key_value", 48, 16), ("attention.dense", 16, 16), ("mlp.dense_h_to_4h", 20, 16),
                       ("mlp.dense_4h_to_h", 16, 20),
                   ]
                   select ($"gpt_neox.layers.{layer}.{module.Item1}", module.Item2, module.Item3),
            ]).Write(_folder["adapter"]);
        using var adapter = Adapter.Open(_folder["adapter"]);
        AdapterRescaler.Rotate(adapter.Bind(model), _folder["rotated"], _folder["turned"], Options(heads: true));
        Merger.Merge(adapter.Bind(model), _folder["merged"]);
        using var rotated = Checkpoint.Open(_folder["rotated"]);
        using var turned = Adapter.Open(_folder["turned"]);
        Merger.Merge(turned.Bind(rotated), _folder["both"]);
        using var merged = Checkpoint.Open(_folder["merged"]);
        using var both = Checkpoint.Open(_folder["both"]);
        Difference(StreamModel.Logits(merged), StreamModel.Logits(both)).ShouldBeLessThan(1e-11);
    }

    /// <summary>Rotated, rescaled and rotated again, each time with the adapter, and undone from the last.</summary>
    [Theory]
    [InlineData("plain")]
    [InlineData("dora")]
    public void Rotate_BetweenRescalings_IsUndoneInOrder(string kind)
    {
        using var model = Write(kind);
        using var adapter = Adapter.Open(_folder["adapter"]);
        AdapterRescaler.Rotate(adapter.Bind(model), _folder["a"], _folder["a-adapter"], Options(heads: false));
        using var a = Checkpoint.Open(_folder["a"]);
        using var first = Adapter.Open(_folder["a-adapter"]);
        AdapterRescaler.Rescale(
            first.Bind(a), _folder["b"], _folder["b-adapter"],
            new RescaleOptions { ValueOutput = Granularity.KvHead, Balance = new(Criterion.L2, FactorRounding.None, 6) });
        using var b = Checkpoint.Open(_folder["b"]);
        using var second = Adapter.Open(_folder["b-adapter"]);
        AdapterRescaler.Rotate(second.Bind(b), _folder["c"], _folder["c-adapter"], Options(heads: kind == "plain") with { Seed = 8 });
        using var c = Checkpoint.Open(_folder["c"]);
        using var third = Adapter.Open(_folder["c-adapter"]);
        Merger.Merge(third.Bind(c), _folder["both"]);
        Merger.Merge(adapter.Bind(model), _folder["merged"]);
        using var merged = Checkpoint.Open(_folder["merged"]);
        using var both = Checkpoint.Open(_folder["both"]);
        Difference(StreamModel.Logits(merged), StreamModel.Logits(both)).ShouldBeLessThan(1e-11);
        AdapterRescaler.Undo(third, _folder["undone"]).Moves.ShouldBe(3);
        Same(adapter, "undone", 1e-11);

        // The adapter between is not the last model's.
        Should.Throw<WiscaException>(() => Merger.Merge(second.Bind(c), _folder["wrong"])).Message.ShouldContain("different moves");
        Should
            .Throw<WiscaException>(() => AdapterRescaler.Express(third.Bind(c), AdapterGauge.Original, _folder["wrong"]))
            .Message.ShouldContain("was rotated");
    }

    [Theory]
    [InlineData("o_proj", "has magnitudes (DoRA), one for each output, and its outputs are rotated")]
    [InlineData("norm", "the adapter stores 'model.norm.weight' whole: with a norm of its own it needs a rotation of its own")]
    [InlineData("score", "the adapter stores 'score.weight', which the base lacks: where it reads the stream is not known")]
    public void Rotate_WhatCannotFollow_IsRefusedInOneLineAndNothingIsWritten(string what, string expected)
    {
        new StreamModel(tied: false, layerNorm: false).Write(_folder["model"], Dtype.F64);
        using var model = Checkpoint.Open(_folder["model"]);
        var small = what switch
        {
            "o_proj" => Small([.. All.Where(module => module.Name.EndsWith("o_proj", StringComparison.Ordinal))]) with { Dora = true },
            "norm" => Small(All) with { Saved = [Tensor("base_model.model.model.norm.weight", [Hidden])] },
            _ => Small(All) with
            {
                Saved = [Tensor("base_model.model.score.weight", [3, Hidden])],
                Edit = json =>
                {
                    json["task_type"] = "SEQ_CLS";
                    json["modules_to_save"] = new JsonArray("score");
                },
            },
        };
        if (what == "norm") small = small with { Edit = json => json["modules_to_save"] = new JsonArray("norm") };
        small.Write(_folder["adapter"]);
        using var adapter = Adapter.Open(_folder["adapter"]);
        Should
            .Throw<WiscaException>(
                () => AdapterRescaler.Rotate(adapter.Bind(model), _folder["rotated"], _folder["turned"], new RotateOptions()))
            .Message.ShouldContain(expected);
        Directory.GetDirectories(_folder["."]).Select(Path.GetFileName).Order().ShouldBe(["adapter", "model"]);
    }

    private static RotateOptions Options(bool heads) =>
        new() { Stream = BasisSource.Random, Heads = heads ? BasisSource.Random : null, Seed = 4 };

    private static SmallAdapter Small(IReadOnlyList<(string, int, int)> modules) =>
        new() { Dtype = "F64", DeviationOfB = 0.3, Modules = modules };

    private Checkpoint Write(string kind)
    {
        bool tied = kind.StartsWith("tied", StringComparison.Ordinal);
        new StreamModel(tied, layerNorm: false, uniformGain: tied).Write(_folder["model"], Dtype.F64);
        var small = Small(All);
        small = kind switch
        {
            "rslora" => small with { RankStabilized = true },
            "dora" => Small(
                [.. All.Where(module => !module.Name.EndsWith("o_proj", StringComparison.Ordinal)
                    && !module.Name.EndsWith("down_proj", StringComparison.Ordinal))]) with { Dora = true },
            "embedding" => small with
            {
                Saved =
                [
                    Tensor("base_model.model.model.embed_tokens.lora_embedding_A", [3, 11]),
                    Tensor("base_model.model.model.embed_tokens.lora_embedding_B", [Hidden, 3]),
                ],
                Edit = json => json["target_modules"]!.AsArray().Add("embed_tokens"),
            },
            "saved" => small with
            {
                Saved = [Tensor("base_model.model.lm_head.weight", [11, Hidden])],
                Edit = json => json["modules_to_save"] = new JsonArray("lm_head"),
            },
            "tokens" => small with
            {
                Saved = [Tensor("base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta", [2, Hidden])],
                Edit = json => json["trainable_token_indices"] = new JsonObject { ["embed_tokens"] = new JsonArray(3, 9) },
            },
            "tied head" => Small([.. All, ("lm_head", 11, Hidden)]),
            _ => small,
        };
        small.Write(_folder["adapter"]);
        return Checkpoint.Open(_folder["model"]);
    }

    private static TestTensor Tensor(string name, long[] shape)
    {
        var random = new Random(17);
        return new TestTensor(
            name, "F64", shape,
            ReferenceFloat.Bytes(
                "F64", Enumerable.Range(0, (int)shape.Aggregate(1L, (a, b) => a * b)).Select(_ => 0.4 * SmallLlama.Normal(random))));
    }

    private void Same(Adapter adapter, string name, double tolerance)
    {
        using var other = Adapter.Open(_folder[name]);
        foreach (var tensor in adapter.Tensors)
            Largest(LowRankUpdate.Values(tensor), LowRankUpdate.Values(other.Find(tensor.Info.Name)!))
                .ShouldBeLessThan(tolerance, tensor.Info.Name);
    }

    private static double Largest(double[] left, double[] right) => left.Zip(right, (a, b) => Math.Abs(a - b)).Max();

    private static double Difference(double[][] left, double[][] right) => left.Zip(right, Largest).Max();
}
