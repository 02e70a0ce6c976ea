using Wisca.Attention;
using Wisca.Checkpoints;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;

namespace Wisca.Torch.Tests.Models;

public sealed class DecoderConfigTests
{
    private const string Gpt2 = """{"model_type": "gpt2", "n_embd": 8, "n_layer": 2, "n_head": 2, "vocab_size": 11""";

    [Fact]
    public void From_Llama_ReadsEveryValue()
    {
        var config = Read(TorchTinyModels.Config(further: """, "attention_bias": true, "mlp_bias": true, "rope_theta": 500000.0"""));
        config.ShouldSatisfyAllConditions(
            () => config.HiddenSize.ShouldBe(TorchTinyModels.Hidden),
            () => config.VocabularySize.ShouldBe(TorchTinyModels.Vocabulary),
            () => config.MaxPositions.ShouldBe(64),
            () => config.Layers.Length.ShouldBe(TorchTinyModels.Layers),
            () => config.Attention.ShouldBe(new AttentionConfig(4, 2, 8, 1 / Math.Sqrt(8)) { QkvBias = true, OutputBias = true }),
            () => config.FeedForward.ShouldBe(new FeedForwardConfig(48, Activation.Silu, Bias: true)),
            () => config.Norm.ShouldBe(new NormConfig(NormKind.RootMeanSquare, 1e-5)),
            () => config.TiedHead.ShouldBeFalse(),
            () => config.Layers[0].Rope!.Pairs.ShouldBe(RopePairs.Half),
            () => config.Layers[0].Rope!.Frequencies[1].ShouldBe(Math.Pow(500000, -0.25), 1e-15));
    }

    [Fact]
    public void From_ThetaInRopeParameters_IsRead() =>
        Frequencies(""" "rope_parameters": {"rope_theta": 16.0, "rope_type": "default"}""").ShouldBe([1, 0.5, 0.25, 0.125]);

    [Fact]
    public void From_LinearScaling_DividesFrequencies() =>
        Frequencies(""" "rope_theta": 16.0, "rope_scaling": {"type": "linear", "factor": 4.0}""").ShouldBe([0.25, 0.125, 0.0625, 0.03125]);

    [Fact]
    public void From_Llama3Scaling_StretchesLongWavelengthsOnly()
    {
        // With theta 16 the pairs make 10.2, 5.1, 2.5 and 1.3 turns over the original 64 positions: two stay, two are blended. With theta
        // 256 the last makes 0.2 and is stretched.
        const string scaling =
            """
            "rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
            "original_max_position_embeddings": 64}
            """;
        double turns = 64 * 0.25 / (2 * Math.PI), kept = (turns - 1) / 3;
        var mild = Frequencies($""" "rope_theta": 16.0, {scaling}""");
        mild[0].ShouldBe(1);
        mild[1].ShouldBe(0.5);
        mild[2].ShouldBe((kept * 0.25) + ((1 - kept) * 0.25 / 8), 1e-15);
        Frequencies($""" "rope_theta": 256.0, {scaling}""")[3].ShouldBe(Math.Pow(256, -0.75) / 8, 1e-15);
    }

    [Theory]
    [InlineData("", 4096)]
    [InlineData(""", "sliding_window": null""", null)]
    [InlineData(""", "sliding_window": 7""", 7)]
    public void From_Mistral_ReadsWindow(string further, int? window) =>
        Read(TorchTinyModels.Config("mistral", further: further)).Layers.ShouldAllBe(layer => layer.Window == window);

    [Theory]
    [InlineData(""", "sliding_window": 7, "max_window_layers": 1""", null, null)]
    [InlineData(""", "use_sliding_window": true, "sliding_window": 7, "max_window_layers": 1""", null, 7)]
    [InlineData(""", "use_sliding_window": true, "sliding_window": 7, "layer_types": ["sliding_attention", "full_attention"]""", 7, null)]
    public void From_Qwen2_ReadsWindowOfEachLayer(string further, int? first, int? second) =>
        Read(TorchTinyModels.Config("qwen2", further: further)).Layers.Select(layer => layer.Window).ShouldBe([first, second]);

    [Fact]
    public void From_Qwen3_HasTheFamilysDefaults()
    {
        var config = Read(
            """
            {
              "model_type": "qwen3", "hidden_size": 32, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 64,
              "vocab_size": 11
            }
            """);
        config.Attention.ShouldBe(new AttentionConfig(64, 32, 128, 1 / Math.Sqrt(128)) { QkNorm = QkNorm.EachHeadAlike });
        config.Norm.Epsilon.ShouldBe(1e-6);
        config.Layers[0].Window.ShouldBeNull();
    }

    [Theory]
    [InlineData(""", "sliding_window_pattern": 2""")]
    [InlineData(""", "layer_types": ["sliding_attention", "full_attention"]""")]
    [InlineData(
        """, "layer_types": ["sliding_attention", "full_attention"],"""
        + """ "rope_parameters": {"full_attention": {"rope_theta": 1e6}, "sliding_attention": {"rope_theta": 1e4}}""")]
    public void From_Gemma3_HasTwoKindsOfLayers(string further)
    {
        var config = Read(
            TorchTinyModels.Config("gemma3_text", further: """, "sliding_window": 7, "query_pre_attn_scalar": 16""" + further));
        config.Layers.Select(layer => layer.Window).ShouldBe([7, null]);
        config.Layers.Select(layer => layer.Rope!.Frequencies[1]).ShouldBe([Math.Pow(1e4, -0.25), Math.Pow(1e6, -0.25)], 1e-15);
        config.Attention.Scale.ShouldBe(0.25);
        config.Norm.UnitOffset.ShouldBeTrue();
        config.EmbeddingScale.ShouldBe(Math.Sqrt(TorchTinyModels.Hidden));
    }

    [Theory]
    [InlineData("", true, true)]
    [InlineData(""", "decoder_sparse_step": 2""", false, true)]
    [InlineData(""", "mlp_only_layers": [1]""", true, false)]
    [InlineData(""", "num_experts": 0""", false, false)]
    public void From_Qwen2Mixture_KnowsWhichLayersAreMixtures(string further, bool first, bool second)
    {
        var config = Read(TorchTinyModels.Config("qwen2_moe", further: further));
        config.Layers.Select(layer => layer.Mixture is not null).ShouldBe([first, second]);
        if (first)
            config
                .Layers[0]
                .Mixture.ShouldBe(
                    new MixtureConfig(60, 4)
                    {
                        NormalizeWeights = false,
                        IntermediateSize = 1408,
                        SharedIntermediateSize = 5632,
                        BalanceWeight = 0.001,
                    });
    }

    [Fact]
    public void From_Gpt2_HasTheFamilysDefaults()
    {
        var config = Read(Gpt2 + "}");
        config.FeedForward.ShouldBe(new FeedForwardConfig(32, Activation.GeluTanh, Bias: true));
        config.MaxPositions.ShouldBe(1024);
        config.TiedHead.ShouldBeTrue();
        config.Attention.Orientation.ShouldBe(Orientation.Conv1D);
        Read(Gpt2 + """, "scale_attn_weights": false}""").Attention.Scale.ShouldBe(1);
    }

    [Theory]
    [InlineData("bloom", "", "model_type 'bloom' has no forward pass here; there is one for cohere, deepseek_v3, falcon,")]
    [InlineData("llama", """, "hidden_act": "xielu" """, "hidden_act is 'xielu'")]
    [InlineData("llama", """, "rope_scaling": {"rope_type": "proportional"}""", "rope_scaling.rope_type is 'proportional'")]
    [InlineData("llama", """, "rope_parameters": {"rope_type": "dynamic"}""", "no rope_parameters.factor")]
    [InlineData("llama", """, "head_dim": 2, "rope_scaling": {"type": "dynamic", "factor": 2}""", "but one pair of channels rotates")]
    [InlineData("llama", """, "rope_scaling": {"type": "longrope", "short_factor": [1, 1, 1, 1]}""", "no rope_scaling.long_factor")]
    [InlineData("llama", """, "rope_scaling": {"type": "longrope", "short_factor": [1, 1, 1]}""", "short_factor is not a list of 4")]
    [InlineData(
        "llama", """, "rope_scaling": {"type": "longrope", "short_factor": [1, 0, 1, 1]}""", "rope_scaling.short_factor[1] is 0, expected")]
    [InlineData(
        "llama",
        """, "original_max_position_embeddings": 8, "rope_scaling": {"type": "yarn", "original_max_position_embeddings": 16}""",
        "original_max_position_embeddings is 8, but rope_scaling.original_max_position_embeddings is 16")]
    [InlineData(
        "phi3",
        """
        , "rope_scaling": {"type": "longrope", "original_max_position_embeddings": 16, "short_factor": [1, 1, 1, 1],
        "long_factor": [1, 1, 1, 1]}
        """, "but original_max_position_embeddings, which rules, is not stated and 4096 then")]
    [InlineData("llama", """, "rope_scaling": {"rope_type": "linear"}""", "no rope_scaling.factor")]
    [InlineData(
        "llama", """, "rope_scaling": {"rope_type": "linear", "factor": "two"}""", "rope_scaling.factor is \"two\", expected a number")]
    [InlineData("llama", """, "rope_scaling": {"rope_type": "linear", "factor": -2}""", "rope_scaling.factor is -2")]
    [InlineData(
        "llama", """, "rope_scaling": {"type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4}""",
        "rope_scaling.high_freq_factor is 4")]
    [InlineData(
        "llama", """, "rope_scaling": {"type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4}""",
        "no rope_scaling.original_max_")]
    [InlineData("llama", """, "rope_scaling": "linear" """, "rope_scaling is not an object")]
    [InlineData(
        "qwen2", """, "rope_parameters": {"full_attention": {"rope_theta": 1e6}}""",
        "rope_parameters has a section of its own for 'full_attention', which the forward pass does not have")]
    [InlineData(
        "llama", """, "rope_scaling": {"rope_type": "linear", "factor": 2}, "rope_parameters": {"rope_type": "default"}""",
        "rope_scaling.rope_type is 'linear', but rope_parameters.rope_type is 'default'")]
    [InlineData(
        "llama", """, "rope_theta": 10000, "rope_parameters": {"rope_theta": 500000}""",
        "rope_theta is 10000, but rope_parameters.rope_theta is 500000")]
    [InlineData(
        "gpt_neox", """, "partial_rotary_factor": 0.5, "rotary_pct": 0.25""", "rotary_pct is 0.25, but partial_rotary_factor is 0.5")]
    [InlineData("gpt2", """, "n_embd": 8, "n_head": 2""", "n_embd is 8, but hidden_size is 32")]
    [InlineData("gpt2", """, "n_positions": 32""", "max_position_embeddings is 64, but n_positions is 32")]
    [InlineData("llama", """, "partial_rotary_factor": 0.5""", "partial_rotary_factor is 0.5")]
    [InlineData("llama", """, "tie_word_embeddings": "yes" """, "tie_word_embeddings is \"yes\", expected true or false")]
    [InlineData("llama", """, "num_key_value_heads": 3""", "4 query heads cannot share 3 kv heads evenly")]
    [InlineData("llama", """, "rms_norm_eps": 0""", "rms_norm_eps is 0")]
    [InlineData("llama", """, "head_dim": 7""", "7 rotary channels in heads of 7")]
    [InlineData("llama", """, "hidden_size": 30.5""", "hidden_size is 30.5, expected a whole number")]
    [InlineData("llama", """, "vocab_size": null""", "no vocab_size")]
    [InlineData("llama", """, "vocab_size": 2000000000""", "vocab_size is 2000000000, expected at most 16777216")]
    [InlineData("llama", """, "num_hidden_layers": 1000000""", "1000000 layers, expected at most 4096")]
    [InlineData(
        "llama", """, "num_attention_heads": 65536, "head_dim": 65536""",
        "65536 heads of 65536 channels, expected at most 16777216 channels")]
    [InlineData("mixtral", """, "num_local_experts": 5000""", "5000 experts, expected at most 4096")]
    [InlineData("llama", """, "quantization_config": {"quant_method": "gptq"}""", "quantization_config is set")]
    [InlineData("llama", """, "quantization": {"bits": 4}""", "quantization is set")]
    [InlineData("qwen2", """, "layer_types": ["full_attention", "linear_attention"]""", "layer_types[1] is \"linear_attention\"")]
    [InlineData("qwen2", """, "layer_types": ["full_attention"]""", "layer_types is not a list of 2 names")]
    [InlineData(
        "qwen2", """, "layer_types": ["full_attention", "sliding_attention"]""",
        "layer_types names sliding layers, but there is no sliding window")]
    [InlineData("mixtral", """, "num_local_experts": 2, "num_experts_per_tok": 3""", "num_experts_per_tok is 3")]
    [InlineData("gemma", """, "hidden_act": "silu" """, "the activation is not gelu_pytorch_tanh")]
    [InlineData("phi", """, "hidden_act": "gelu_new", "qk_layernorm": true""", "qk_layernorm is true")]
    [InlineData("falcon", """, "alibi": true, "num_key_value_heads": 1""", "alibi is true")]
    [InlineData("falcon", "", "num_key_value_heads is 2, but the number of kv heads of a falcon model with this configuration is 1")]
    [InlineData("falcon", """, "new_decoder_architecture": true""", "new_decoder_architecture is true")]
    [InlineData("opt", """, "ffn_dim": 48, "word_embed_proj_dim": 16""", "word_embed_proj_dim is 16 and not hidden_size, 32")]
    [InlineData(
        "qwen2_moe", """, "num_experts": 2, "num_experts_per_tok": 3""", "num_experts_per_tok is 3, expected at most num_experts, 2")]
    [InlineData("qwen2_moe", """, "mlp_only_layers": [2]""", "mlp_only_layers holds 2, expected layer numbers from 0 to 1")]
    [InlineData("qwen2_moe", """, "router_aux_loss_coef": -1""", "router_aux_loss_coef is -1")]
    [InlineData("gemma3_text", """, "final_logit_softcapping": 30.0""", "final_logit_softcapping is 30")]
    [InlineData("gemma3_text", """, "use_bidirectional_attention": true""", "use_bidirectional_attention is true")]
    [InlineData("gemma2", """, "sliding_window": null""", "sliding_window is null, but there are sliding layers")]
    [InlineData("gemma2", """, "final_logit_softcapping": 0""", "final_logit_softcapping is 0, expected a positive number")]
    [InlineData("smollm3", """, "no_rope_layers": [1, 2]""", "no_rope_layers[1] is 2, expected 0 or 1")]
    [InlineData("smollm3", """, "no_rope_layers": [1]""", "no_rope_layers is not a list of 2 numbers")]
    [InlineData(
        "smollm3", """, "layer_types": ["full_attention", "sliding_attention"]""",
        "layer_types names sliding layers, but there is no sliding window")]
    [InlineData("olmoe", """, "num_experts": 2, "num_experts_per_tok": 3""", "num_experts_per_tok is 3, expected at most num_experts, 2")]
    [InlineData("olmoe", """, "clip_qkv": -1""", "clip_qkv is -1, expected a positive number")]
    [InlineData("deepseek_v3", """, "num_key_value_heads": 2""", "num_key_value_heads is 2, but each of the 4 heads has keys of its own")]
    [InlineData("deepseek_v3", """, "num_key_value_heads": 4""", "head_dim is 8, but qk_rope_head_dim, which it stands for, is 64")]
    [InlineData(
        "deepseek_v3", """, "num_key_value_heads": 4, "head_dim": 64, "n_routed_experts": 12""",
        "12 experts in 8 groups, expected equal groups of at least two")]
    [InlineData(
        "deepseek_v3", """, "num_key_value_heads": 4, "head_dim": 64, "topk_group": 9""", "topk_group is 9, expected at most n_group, 8")]
    [InlineData(
        "deepseek_v3", """, "num_key_value_heads": 4, "head_dim": 64, "n_routed_experts": 16, "topk_group": 1""",
        "num_experts_per_tok is 8, expected at most the 2 experts of topk_group groups")]
    [InlineData("llama", """, "initializer_range": -0.02""", "initializer_range is -0.02")]
    [InlineData(
        "gpt2", """, "n_embd": 32, "n_head": 4, "scale_attn_by_inverse_layer_idx": true""", "scale_attn_by_inverse_layer_idx is true")]
    public void From_WhatTheForwardPassDoesNotHave_NamesFileAndKey(string modelType, string further, string message)
    {
        var exception = Should.Throw<WiscaException>(() => Read(Merge(TorchTinyModels.Config(modelType), further)));
        exception.Message.ShouldStartWith("config.json: ");
        exception.Message.ShouldContain(message);
        exception.Message.ShouldNotContain('\n');
        exception.Hint.ShouldNotBeNullOrEmpty();
    }

    [Theory]
    [InlineData("hidden_size")]
    [InlineData("num_hidden_layers")]
    [InlineData("num_attention_heads")]
    [InlineData("intermediate_size")]
    [InlineData("vocab_size")]
    public void From_MissingSize_NamesIt(string key)
    {
        string json = TorchTinyModels.Config().Replace($"\"{key}\"", "\"unknown\"", StringComparison.Ordinal);
        Should.Throw<WiscaException>(() => Read(json)).Message.ShouldStartWith($"config.json: no {key}");
    }

    [Theory]
    [InlineData("gpt_neox", """, "partial_rotary_factor": 0.5""", 2)]
    [InlineData("gpt_neox", """, "rope_parameters": {"partial_rotary_factor": 0.5, "rope_theta": 100}""", 2)]
    [InlineData("phi", """, "partial_rotary_factor": 0.25""", 1)]
    [InlineData("phi", """, "rope_scaling": {"partial_rotary_factor": 1.0}""", 4)]
    public void From_AnySpellingOfTheRotatedShare_IsWhatTheCertificateReads(string modelType, string further, int frequencies)
    {
        string hidden = modelType == "phi" ? ", \"hidden_act\": \"gelu_new\"" : ", \"hidden_act\": \"gelu\"";
        var config = ModelConfig.Parse(Merge(TorchTinyModels.Config(modelType), hidden + further));
        DecoderConfig.From(config).Layers[0].Rope!.Frequencies.Length.ShouldBe(frequencies);
        Architectures.ModelSizes.Read(config).RotaryDims.ShouldBe(2 * frequencies);
    }

    private static DecoderConfig Read(string json) => DecoderConfig.From(ModelConfig.Parse(json));

    private static double[] Frequencies(string further) => [.. Read(Merge(TorchTinyModels.Config(), further)).Layers[0].Rope!.Frequencies];

    /// <summary>The keys of an object, those of the second text in place of those of the same name.</summary>
    private static string Merge(string json, string further)
    {
        var merged = System.Text.Json.Nodes.JsonNode.Parse(json)!.AsObject();
        if (further.Length == 0) return json;
        foreach (var (key, value) in System.Text.Json.Nodes.JsonNode.Parse("{" + further.TrimStart(',') + "}")!.AsObject())
            merged[key] = value?.DeepClone();
        return merged.ToJsonString();
    }
}
