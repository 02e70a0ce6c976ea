using Wisca.Architectures;

namespace Wisca.Core.Tests.Architectures;

/// <summary>Tables say of every tensor where its axes lie. What transformers saves is the judge of what is there.</summary>
public sealed class ModelMapTests
{
    private static readonly string[] ThatReadTheStream = ["q_proj", "k_proj", "v_proj"];

    [Theory]
    [MemberData(nameof(SavedModel.Names), MemberType = typeof(SavedModel))]
    public void Resolve_ModelOfTransformers_EveryTensorIsDeclared(string name)
    {
        var (_, config, tensors) = SavedModel.All.Single(model => model.Name == name);
        var layout = ModelLayout.Resolve(config, tensors);
        layout.Map.Undeclared.ShouldBeEmpty();
        layout.Map.Packed.ShouldBeEmpty();
        layout.Map.Embeddings.ShouldNotBeEmpty();
        (layout.Map.Head is not null || layout.Map.IsTied).ShouldBeTrue();
        layout.Layers.ShouldAllBe(layer => layer.Refusals.Values.All(reason => !reason.Contains("is not in the table")));
    }

    [Theory]
    [MemberData(nameof(SavedModel.Names), MemberType = typeof(SavedModel))]
    public void Resolve_ModelOfTransformers_WhatHasTheHiddenSizeLiesInTheStream(string name)
    {
        // No size of these models but the hidden one is 32, unless it counts the channels of all heads.
        var (_, config, tensors) = SavedModel.All.Single(model => model.Name == name);
        var layout = ModelLayout.Resolve(config, tensors);
        var map = layout.Map;
        HashSet<string> stream = [ModelMap.Stream, .. map.Norms.Where(OnStream).Select(norm => norm.Space)];
        var axes = map.Axes.Where(axis => stream.Contains(axis.Space)).ToList();
        axes.ShouldAllBe(axis => axis.Start == 0 && axis.Count == layout.HiddenSize);
        var ofHeads = layout.Layers.SelectMany(layer => new[] { layer.Query, layer.Key, layer.Value, layer.Output })
            .SelectMany(projection => new[] { (projection.Weight, projection.Axis), (projection.Bias ?? "", 0) }).ToHashSet();
        var ofNorms = map.Norms.SelectMany(norm => new[] { norm.Gain, norm.Bias }).ToHashSet();
        foreach (var tensor in tensors.Where(tensor => !ofNorms.Contains(tensor.Name) && !tensor.Name.Contains(".crossattention.")))
        {
            for (int axis = 0; axis < tensor.Shape.Length; axis++)
            {
                bool inStream = axes.Any(entry => entry.Tensor == tensor.Name && entry.Axis == axis);
                (inStream || ofHeads.Contains((tensor.Name, axis))).ShouldBe(
                    tensor.Shape[axis] == layout.HiddenSize || ofHeads.Contains((tensor.Name, axis)), $"{tensor.Name}, axis {axis}");
            }
        }

        bool OnStream(ModelNorm norm) => norm.Reads == ModelMap.Stream || norm.Writes == ModelMap.Stream;
    }

    [Fact]
    public void Resolve_Llama_SaysWhoReadsAndWhoWrites()
    {
        var model = SavedModel.All.First(model => model.Config.ModelType == "llama");
        var map = ModelLayout.Resolve(model.Config, model.Tensors).Map;
        var attention = map.Norms.Single(norm => norm.Space == "model.layers.1.input_layernorm");
        attention.ShouldBe(
            new ModelNorm(
                attention.Space, 1, NormForm.Rms, ModelMap.Stream, null, "model.layers.1.input_layernorm.weight", null)
            {
                GainLength = 32,
            });
        map.Axes.Where(axis => axis.Space == attention.Space).ShouldBe(
            ThatReadTheStream.Select(projection => Axis($"self_attn.{projection}", 1, attention.Space, false)), ignoreOrder: true);
        map.Axes.Where(axis => axis.Space == "model.layers.1.mlp.hidden").ShouldBe(
            [
                Axis("mlp.up_proj", 0, "model.layers.1.mlp.hidden", true, 12),
                Axis("mlp.down_proj", 1, "model.layers.1.mlp.hidden", false, 12),
            ],
            ignoreOrder: true);
        map.Axes.Where(axis => axis.Space == ModelMap.Stream && axis.Layer == 1).ShouldBe(
            [Axis("self_attn.o_proj", 0, ModelMap.Stream, true), Axis("mlp.down_proj", 0, ModelMap.Stream, true)], ignoreOrder: true);
        map.Embeddings.ShouldBe(["model.embed_tokens.weight"]);
        map.Head.ShouldBe("lm_head.weight");
        map.IsTied.ShouldBeFalse();
        map.Axes.Single(axis => axis.Tensor == map.Head).Space.ShouldBe("model.norm");

        static WeightAxis Axis(string module, int axis, string space, bool writes, int count = 32) =>
            new($"model.layers.1.{module}.weight", 1, axis, space, writes, false, 0, count);
    }

    [Theory]
    [InlineData("gpt2", true)]
    [InlineData("gemma", true)]
    [InlineData("llama", false)]
    public void Resolve_NoTyingInTheConfiguration_IsAsTheClassHasIt(string type, bool tied)
    {
        var model = SavedModel.All.First(model => model.Config.ModelType == type);
        model.Config.Find("tie_word_embeddings")?.GetBoolean().ShouldBe(tied);
        ModelLayout.Resolve(model.Config, model.Tensors).Map.IsTied.ShouldBe(tied);
    }

    [Fact]
    public void Resolve_TiedMatrixUnderTheNameOfTheHead_IsTheEmbedding()
    {
        var model = SavedModel.All.First(model => model.Config.ModelType == "gemma");
        var map = ModelLayout.Resolve(
            model.Config,
            model.Tensors.Select(tensor =>
                tensor.Name == "model.embed_tokens.weight" ? tensor with { Name = "lm_head.weight" } : tensor)).Map;
        map.Embeddings.ShouldBe(["lm_head.weight"]);
        map.Head.ShouldBeNull();
        map.IsTied.ShouldBeTrue();
        map.Axes.Single(axis => axis.Tensor == "lm_head.weight").ShouldBe(
            new WeightAxis("lm_head.weight", null, 1, ModelMap.Stream, true, false, 0, 32));
    }
}
