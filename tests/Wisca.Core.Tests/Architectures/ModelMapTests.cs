using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Rotations;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Architectures;

/// <summary>Tables say of every tensor where its axes lie. What transformers saves is the judge of what is there.</summary>
public sealed class ModelMapTests
{
    private static readonly string[] ThatReadTheStream = ["q_proj", "k_proj", "v_proj"];

    // As wide as the stream, yet elsewhere: what reads an encoder, what stands between two weights of an output projection, a convolution
    // or a pooling, and what scales the stream's channels one by one, for which it is refused.
    private static readonly string[] Elsewhere =
    [
        ".crossattention.", ".encoder_attn.", "lm_head.dense.", ".transform.dense.", ".pooler.", ".conv.conv.", ".conv.out_proj.",
        "attn_sub_norm.", "_residual", "roc_bert.embeddings.word_embeddings.", ".cross_attn.", ".W_up.", "embed_tokens_extend.",
        "git.visual_projection.",
        "transformer.ffns.", "transformer.layer_norm", "transformer.position_embeddings.", "transformer.lang_embeddings.",
    ];

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
        if (!stream.Contains(map.HeadReads!)) ofNorms.Add(map.Head);
        foreach (var tensor in tensors.Where(tensor => !ofNorms.Contains(tensor.Name) && !Elsewhere.Any(tensor.Name.Contains)))
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

    [Fact]
    public void Resolve_LayersOfTwoKinds_TheSameNameIsReadAsEachHasIt()
    {
        var model = SavedModel.All.First(model => model.Config.ModelType == "olmo_hybrid");
        var norms = ModelLayout.Resolve(model.Config, model.Tensors).Map.Norms
            .Where(norm => norm.Space.EndsWith("feedforward_layer_norm", StringComparison.Ordinal)).ToList();
        norms.Select(norm => norm.Layer).ShouldBe([0, 1, 2, 3]);
        norms.Take(3).ShouldAllBe(norm => norm.Reads == ModelMap.Stream && norm.Writes == null);
        norms[3].Reads.ShouldBeNull();
        norms[3].Writes.ShouldBe(ModelMap.Stream);
    }

    [Theory]
    [InlineData("bert", "reads what is no longer the residual stream")]
    [InlineData("modernbert-decoder", "reads what is no longer the residual stream")]
    [InlineData("xglm", "sinusoids")]
    [InlineData("marian", "sinusoids")]
    [InlineData("doge", "input_residual")]
    [InlineData("electra", "pass a projection")]
    [InlineData("bert-generation", null)]
    [InlineData("mbart", null)]
    [InlineData("bigbird_pegasus", null)]
    [InlineData("ctrl", "sinusoids")]
    [InlineData("hy_v4", "hyper-connections")]
    [InlineData("axk2", "a gate for each channel stands behind the norms")]
    [InlineData("lfm3", null)]
    public void Plan_Stream_IsRefusedForTheTrueReason(string type, string? reason)
    {
        var model = SavedModel.All.First(model => model.Config.ModelType == type);
        var refusal = RotationPlan.Create(ModelLayout.Resolve(model.Config, model.Tensors)).Refusals
            .SingleOrDefault(refusal => refusal.Kind == RotationKind.Stream);
        if (reason is null) refusal.ShouldBeNull();
        else refusal.ShouldNotBeNull().Reason.ShouldContain(reason);
    }

    /// <summary>Its norm of the embeddings' name stands behind the last layer.</summary>
    [Fact]
    public void Resolve_BigBirdPegasus_TheLastNormIsReadByTheHead()
    {
        var model = SavedModel.All.First(model => model.Config.ModelType == "bigbird_pegasus");
        var map = ModelLayout.Resolve(model.Config, model.Tensors).Map;
        var last = map.Norms.Single(norm => norm.Space == "model.decoder.layernorm_embedding");
        (last.Reads, last.Writes).ShouldBe((ModelMap.Stream, null));
        map.HeadReads.ShouldBe(last.Space);
        map.Axes.Single(axis => axis.Tensor == map.Embeddings[1]).Space.ShouldBe(ModelMap.Stream);
    }

    /// <summary>An MLP of which a table does not say what stands between its weights is never moved, and nobody notices.</summary>
    [Theory]
    [MemberData(nameof(SavedModel.Names), MemberType = typeof(SavedModel))]
    public void Resolve_ModelOfTransformers_SaysWhatStandsInEveryMlp(string name)
    {
        var (_, config, tensors) = SavedModel.All.Single(model => model.Name == name);
        var layout = ModelLayout.Resolve(config, tensors);
        var map = layout.Map;
        string[] unsaid =
        [
            .. map.Hidden.Where(hidden => hidden.Layer is not null && hidden.Activation.Contains("does not say"))
                .Where(hidden => !layout.Layers[hidden.Layer!.Value].Refusals.ContainsKey(TransitionKind.UpDown))
                .Select(hidden => hidden.Space),
        ];
        unsaid.ShouldBeEmpty($"the table of {layout.Table.Name} leaves out an activation");
    }

    [Fact]
    public void Resolve_LatentAttention_HeadsStandWhereTheirPartsDo()
    {
        // Of each head q_b has 6 channels without RoPE and 4 with, kv_b 6 of the key and 5 of the value.
        var model = SavedModel.All.First(model => model.Config.ModelType == "deepseek_v3");
        var layout = ModelLayout.Resolve(model.Config, model.Tensors);
        (layout.HeadDim, layout.ValueDim, layout.KvHeads).ShouldBe((6, 5, 4));
        var layer = layout.Layers[1];
        layer.Query.Weight.ShouldBe("model.layers.1.self_attn.q_b_proj.weight");
        layer.Query.Starts.ShouldBe([0, 10, 20, 30]);
        layer.Key.Weight.ShouldBe("model.layers.1.self_attn.kv_b_proj.weight");
        layer.Key.Starts.ShouldBe([0, 11, 22, 33]);
        layer.Value.Starts.ShouldBe([6, 17, 28, 39]);
        layer.Output.Starts.ShouldBe([0, 5, 10, 15]);
        layout.Notes.ShouldContain(note => note.Contains("4 channels beside the 6 of each head"));
        layout.Map.Axes.Single(axis => axis.Tensor == layer.Key.Weight).Space.ShouldBe("model.layers.1.self_attn.kv_a_layernorm");
    }

    [Fact]
    public void Rescale_LatentAttention_IsCertifiedAndLeavesWhatAllHeadsShare()
    {
        var model = SavedModel.All.First(model => model.Config.ModelType == "deepseek_v3");
        using var folder = new TemporaryFolder();
        var random = new Random(3);
        TinyCheckpoint.Write(
            folder["model"], model.ConfigJson, Dtype.F64,
            [.. model.Tensors.Select(tensor => (
                tensor.Name, tensor.Shape.Select(size => (int)size).ToArray(),
                Enumerable.Range(0, (int)tensor.ElementCount).Select(_ => AttentionOracle.Gauss(random)).ToArray()))]);
        using var before = Checkpoint.Open(folder["model"]);
        Rescaler.Rescale(
            before, folder["out"], new RescaleOptions { QueryKey = Granularity.Channel, ValueOutput = Granularity.Channel, Threads = 1 });
        using var after = Checkpoint.Open(folder["out"]);
        Certifier.Compare(before, after, threads: 1).Equivalent.ShouldBeTrue();
        double[] old = Rows(before), moved = Rows(after);
        for (int row = 0; row < 40; row++)
            old.AsSpan(row * 10, 10).SequenceEqual(moved.AsSpan(row * 10, 10)).ShouldBe(row % 10 >= 6, $"row {row}");

        static double[] Rows(Checkpoint checkpoint)
        {
            var matrix = new MatrixView(checkpoint.Find("model.layers.1.self_attn.q_b_proj.weight")!, 0);
            double[] rows = new double[400];
            for (int row = 0; row < 40; row++) matrix.Decode(row, rows.AsSpan(row * 10, 10));
            return rows;
        }
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
