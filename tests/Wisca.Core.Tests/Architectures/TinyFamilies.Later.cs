namespace Wisca.Core.Tests.Architectures;

/// <summary>Families that transformers judges as well, with what changes the outcome of each field of their tables.</summary>
internal static partial class TinyFamilies
{
    private const string PartialKey = ",'partial_rotary_factor':0.75";
    private const string PartialInSection = ",'rope_parameters':{'partial_rotary_factor':0.75}";

    private static string[] Norms => ["input_layernorm.weight:D", "post_attention_layernorm.weight:D"];
    private static string[] HeadNorms => ["self_attn.q_norm.weight:4", "self_attn.k_norm.weight:4"];

    private static IEnumerable<TinyFamily> Later()
    {
        var llama = new TinyFamily("llama", "llama");
        foreach (string type in (string[])["cwm", "iquestcoder", "internlm3"]) yield return Alike(llama, type);
        var jais = llama with
        {
            Name = "jais2", ModelType = "jais2", Config = KvAndHeadDim, HeadDim = 6, RotaryDims = 6,
            Others = [.. LayerNorms, "mlp.up_proj.weight:F,D", "mlp.up_proj.bias:F", "mlp.down_proj.weight:D,F", "mlp.down_proj.bias:D"],
        };
        yield return jais;
        yield return jais with
        {
            Name = "jais2, defaults", ConfigurationOnly = true, Config = NoKv, HeadDim = 4, RotaryDims = 4, KvHeads = 4,
        };
        yield return Alike(llama, "aria_text") with
        {
            Others = [.. Norms, "mlp.experts.fc1.weight:2,D,F", "mlp.router.weight:2,D", "mlp.shared_experts.up_proj.weight:F,D"],
        };
        yield return Alike(ByDefinition("granite"), "granitemoeshared");
        yield return Alike(ByDefinition("gemma2"), "vaultgemma") with { Config = KvAndHeadDim };
        yield return new TinyFamily("gpt-sw3", "gpt-sw3")
        {
            ConfigurationOnly = true, Config = Gpt, KvHeads = 4, Fused = FusedKind.Concatenated, Qkv = "attn.c_attn", O = "attn.c_proj",
            Transposed = true, Bias = true, OutputBias = true, Pairs = PairKind.None, Stem = "transformer.h.", Others = GptNorms,
        };
        foreach (string type in (string[])["cohere", "cohere2"])
            yield return llama with
            {
                Name = $"{type}, own head_dim", ModelType = type, ConfigurationOnly = true, Pairs = PairKind.Interleaved, Layers = 1,
                Config = KvAndHeadDim, HeadDim = 6, RotaryDims = 6, Others = ["input_layernorm.weight:D"],
            };

        // Each with its own head_dim, and without one or a number of kv heads.
        foreach (
            var family in (TinyFamily[])
                [
                    Named("hyperclovax", [.. Norms, "post_norm1.weight:D", "mlp.up_proj.weight:F,D"]),
                    Named("solar_open", [.. Norms, "mlp.experts.0.up_proj.weight:F,D", "mlp.gate.weight:2,D"]),
                    Named(
                        "apertus",
                        [
                            "attention_layernorm.weight:D", "feedforward_layernorm.weight:D", .. HeadNorms, "mlp.up_proj.weight:F,D",
                            "mlp.act_fn.alpha_p:1",
                        ],
                        qk: QkNorm),
                    Named(
                        "dots1",
                        [.. Norms, .. HeadNorms, "mlp.up_proj.weight:F,D", "block_sparse_moe.gate.weight:2,D", "self_attn.sinks:4"],
                        qk: QkNorm),
                    Named(
                        "kolibri1",
                        [
                            .. Norms, .. HeadNorms, "post_attn_norm.weight:D", "post_ffn_norm.weight:D", "mlp.gate.weight:2,D",
                            "moe.router.expert_bias:2",
                        ],
                        qk: QkNorm),
                    Named("afmoe", [.. Norms, .. HeadNorms, "mlp.up_proj.weight:F,D"], qk: QkNorm),
                    Named("beam", [.. Norms, .. HeadNorms, "mlp.up_proj.weight:F,D", "self_attn.gate_bias:4"], qk: QkNorm),
                    Named("olmoe", [.. Norms, .. HeadNorms, "mlp.gate.weight:2,D"], qk: QkNorm),
                    Named("nanochat", ["mlp.fc1.weight:F,D"], qk: "behind RoPE"),
                    Named("bitnet", [.. Norms, "mlp.up_proj.weight:F,D", "self_attn.attn_sub_norm.weight:D"], vo: "attn_sub_norm"),
                    Named(
                        "hunyuan_v1_dense",
                        [.. Norms, "mlp.up_proj.weight:F,D", "self_attn.query_layernorm.weight:4", "self_attn.key_layernorm.weight:4"],
                        qk: "behind RoPE"),
                    Named("cohere2_moe", ["input_layernorm.weight:D", "mlp.gate.weight:2,D"]) with { Pairs = PairKind.Interleaved },
                    Named("ernie4_5_moe", [.. Norms, "mlp.gate.weight:2,D"]) with { Pairs = PairKind.Interleaved },
                    Named(
                        "falcon_h1",
                        ["input_layernorm.weight:D", "pre_ff_layernorm.weight:D", "feed_forward.up_proj.weight:F,D", "mamba.A_log:2"]),
                    Named("doge", HeadNorms, qk: QkNorm, vo: "dt_proj"),
                    Named("exaone", ["ln_1.weight:D", "ln_2.weight:D", "mlp.c_proj.weight:D,F", "attn.attention.rotary.inv_freq:2"]) with
                    {
                        Stem = "transformer.h.", Q = "attn.attention.q_proj", K = "attn.attention.k_proj", V = "attn.attention.v_proj",
                        O = "attn.attention.out_proj",
                    },
                ])
        {
            yield return family;
            yield return family with
            {
                Name = $"{family.Name}, own head_dim", ConfigurationOnly = true, Config = KvAndHeadDim, HeadDim = 6, RotaryDims = 6,
            };
            yield return family with { Name = $"{family.Name}, no kv heads", ConfigurationOnly = true, Config = NoKv, KvHeads = 4 };
        }

        var exaone = Named("exaone, older keys", ["ln_1.weight:D"]) with
        {
            ModelType = "exaone", ConfigurationOnly = true, Stem = "h.", Q = "attn.attention.q_proj", K = "attn.attention.k_proj",
            V = "attn.attention.v_proj", O = "attn.attention.out_proj", Config = Kv.Replace("num_hidden_layers", "num_layers"),
        };
        yield return exaone;
        foreach (
            string type in (string[])
                [
                    "apertus1p5_text", "mellum", "exaone_moe", "hy_v3", "flint", "minimax_m2",
                ])
            yield return Alike(Named(type, [.. HeadNorms], qk: QkNorm), type);
        yield return Alike(Named("hunyuan_v1_moe", [], qk: "behind RoPE"), "hunyuan_v1_moe");
        var swa = Named("granite_swa", [.. Norms, "mlp.up_proj.weight:F,D", "block_sparse_moe.router.weight:2,D"]) with
        {
            Sinks = "self_attn.sinks", LayersWithoutRope = [1], Config = KvAndHeadDim + ",'layer_rope_theta':[10000.0,0]", HeadDim = 6,
            RotaryDims = 6,
        };
        yield return swa;
        yield return Alike(swa, "granitemoe_swa") with { LayersWithoutRope = [], Config = NoKv, KvHeads = 4, HeadDim = 4, RotaryDims = 4 };
        var llama4 = Named("llama4_text", [.. Norms, "feed_forward.up_proj.weight:F,D"]) with
        {
            Layers = 4, LayersWithoutRope = [3], Pairs = PairKind.Interleaved, Config = KvAndHeadDim + ",'use_qk_norm':false",
        };
        yield return llama4;
        yield return llama4 with
        {
            Name = "llama4_text, no_rope_layers", ConfigurationOnly = true, LayersWithoutRope = [0, 2],
            Config = llama4.Config + ",'no_rope_layers':[0,1,0,1]",
        };
        yield return llama4 with
        {
            Name = "llama4_text, interval", ConfigurationOnly = true, LayersWithoutRope = [1, 3],
            Config = llama4.Config + ",'no_rope_layer_interval':2",
        };
        yield return llama4 with
        {
            Name = "llama4_text, norms by default", ConfigurationOnly = true, Layers = 1, LayersWithoutRope = [], Config = NullKv,
            Heads = 2, KvHeads = 2, Hidden = 8, HeadDim = 128, RotaryDims = 128, QueryKeyRefused = "behind RoPE",
        };
        yield return llama4 with
        {
            Name = "llama4_text, norms only behind RoPE", ConfigurationOnly = true, Layers = 1, LayersWithoutRope = [0],
            Config = NoKv + ",'head_dim':{d},'no_rope_layers':[0]", Heads = 16, KvHeads = 8,
        };
        yield return Named("olmoe", [], qk: QkNorm, vo: Clip) with
        {
            Name = "olmoe, clip_qkv", Config = Kv + ",'clip_qkv':0.5", Clip = 0.5,
        };

        foreach (string rest in (string[])["", ",'use_qk_norm':true"])
        {
            var glm = Named("glm4_moe" + rest, [.. Norms, "mlp.gate.weight:2,D"], qk: rest.Length > 0 ? QkNorm : null) with
            {
                ModelType = "glm4_moe", HeadDim = 8, RotaryDims = 4, Hidden = 32,
            };
            yield return glm with { Config = Kv + rest };
            yield return glm with { Name = glm.Name + ", share", Config = KvAndHeadDim + rest + PartialKey, RotaryDims = 6, Hidden = 24 };
            yield return glm with
            {
                Name = glm.Name + ", share in a section", Config = NoKv + rest + PartialInSection, KvHeads = 4, RotaryDims = 6,
            };
        }

        yield return Named("glm4_moe, norms against the key", ["self_attn.q_norm.weight:4"], qk: QkNorm) with
        {
            ModelType = "glm4_moe", HeadDim = 8, RotaryDims = 4, Hidden = 32,
        };
        var sarvam = Named("sarvam_moe", [.. Norms, "mlp.gate.weight:2,D"]) with
        {
            Fused = FusedKind.Concatenated, Qkv = "attention.query_key_value", O = "attention.dense",
            Config = Kv + ",'use_qk_norm':false",
        };
        yield return sarvam;
        yield return sarvam with { Name = "sarvam_moe, norms by default", Config = NoKv, KvHeads = 4, QueryKeyRefused = QkNorm };
        yield return sarvam with
        {
            Name = "sarvam_moe, norms against the key", Others = ["attention.query_layernorm.weight:4"], QueryKeyRefused = QkNorm,
            Config = NoKv + ",'use_qk_norm':false", KvHeads = 4,
        };
        yield return sarvam with
        {
            Name = "sarvam_moe, share", Config = sarvam.Config + ",'head_dim':8" + PartialKey, HeadDim = 8, RotaryDims = 6,
        };
        yield return sarvam with
        {
            Name = "sarvam_moe, share in a section", Config = sarvam.Config + ",'head_dim':8" + PartialInSection, HeadDim = 8,
            RotaryDims = 6,
        };

        var japanese = Named("gpt_neox_japanese", [.. Norms, "mlp.dense_h_to_4h.weight:F,D", "attention.dense_bias:D"]) with
        {
            Stem = "gpt_neox_japanese.layers.", Fused = FusedKind.PerHead, Qkv = "attention.query_key_value", O = "attention.dense",
            KvHeads = 4, Config = NoKv, HeadDim = 8, RotaryDims = 8, Hidden = 32,
        };
        yield return japanese;
        foreach (string share in (string[])[PartialKey, PartialInSection, ",'rotary_pct':0.75"])
            yield return japanese with { Name = japanese.Name + share, Config = NoKv + share, RotaryDims = 6, Stem = "layers." };
        yield return Named("modernbert-decoder", ["attn_norm.weight:D", "mlp_norm.weight:D", "mlp.Wi.weight:F,D"]) with
        {
            Q = "attn.q_proj", K = "attn.k_proj", V = "attn.v_proj", O = "attn.Wo", KvHeads = 4, Config = NoKv,
        };
        var dbrx = Named("dbrx", ["norm_attn_norm.norm_1.weight:D", "ffn.router.layer.weight:2,D"]) with
        {
            Stem = "transformer.blocks.", Fused = FusedKind.Concatenated, Qkv = "norm_attn_norm.attn.Wqkv",
            O = "norm_attn_norm.attn.out_proj", Config = "'n_layers':{L},'d_model':{D},'n_heads':{H},'attn_config':{'kv_n_heads':{KV}}",
        };
        yield return dbrx;
        yield return dbrx with
        {
            Name = "dbrx, clip_qkv, base model", Stem = "blocks.", KvHeads = 1,
            Config = "'n_layers':{L},'d_model':{D},'n_heads':{H},'attn_config':{'clip_qkv':0.5}", Clip = 0.5, QueryKeyRefused = Clip,
            ValueOutputRefused = Clip,
        };

        string[] decoder =
        [
            "self_attn_layer_norm.weight:D", "final_layer_norm.weight:D", "fc1.weight:F,D", "fc2.weight:D,F",
            "encoder_attn.q_proj.weight:D,D", "encoder_attn_layer_norm.weight:D",
        ];
        var bart = Named("bart", decoder) with
        {
            O = "self_attn.out_proj", Pairs = PairKind.None, KvHeads = 4, Bias = true, OutputBias = true, Stem = "model.decoder.layers.",
            Config = "'decoder_layers':{L},'d_model':{D},'decoder_attention_heads':{H}",
        };
        yield return bart;
        yield return bart with { Name = "bart, without the model", ConfigurationOnly = true, Stem = "decoder.layers." };
        yield return bart with { Name = "bart, the decoder alone", ConfigurationOnly = true, Stem = "layers." };
        foreach (
            string type in (string[])
                [
                    "bigbird_pegasus", "blenderbot", "blenderbot-small", "marian", "mbart", "mvp", "pegasus", "plbart", "trocr", "whisper",
                ])
            yield return Alike(bart, type);
        yield return Alike(bart, "mbart") with { Name = "mbart, without the model", Stem = "decoder.layers." };
        yield return Alike(bart, "mbart") with { Name = "mbart, the decoder alone", Stem = "layers." };
        var xglm = bart with
        {
            Name = "xglm", ModelType = "xglm", Stem = "model.layers.", Config = "'num_layers':{L},'d_model':{D},'attention_heads':{H}",
        };
        yield return xglm;
        yield return xglm with { Name = "biogpt", ModelType = "biogpt", Stem = "biogpt.layers.", Config = NoKv };
        var bert = Named(
            "bert",
            [
                "attention.output.LayerNorm.weight:D", "intermediate.dense.weight:F,D", "output.dense.weight:D,F",
                "crossattention.self.query.weight:D,D",
            ]) with
        {
            Q = "attention.self.query", K = "attention.self.key", V = "attention.self.value", O = "attention.output.dense",
            Pairs = PairKind.None, KvHeads = 4, Bias = true, OutputBias = true, Config = NoKv, Stem = "bert.encoder.layer.",
        };
        var megatron = bert with
        {
            Name = "megatron-bert", ModelType = "megatron-bert",
            Others = ["attention.ln.weight:D", "ln.weight:D", "intermediate.dense.weight:F,D", "output.dense.weight:D,F"],
        };
        foreach (var family in (TinyFamily[])[bert, megatron, Alike(bert, "electra") with { Stem = "electra.encoder.layer." }])
        {
            yield return family;
            yield return family with
            {
                Name = $"{family.Name}, absolute positions", Config = NoKv + ",'position_embedding_type':'absolute'",
            };
            foreach (string relative in (string[])["relative_key", "relative_key_query"])
                yield return family with
                {
                    Name = $"{family.Name}, {relative}", Config = NoKv + $",'position_embedding_type':'{relative}'",
                    QueryKeyRefused = "one by one",
                };
        }

        foreach (
            var (type, stem) in ((string, string)[])
                [
                    ("bert-generation", ""), ("big_bird", "bert."), ("camembert", "roberta."), ("data2vec-text", "data2vec_text."),
                    ("electra, the model alone", ""), ("ernie", "ernie."), ("rembert", "rembert."), ("roberta", "roberta."),
                    ("roc_bert", "roc_bert."), ("xlm-roberta", "roberta."),
                ])
            yield return Alike(bert, type.Split(',')[0]) with { Name = type, Stem = $"{stem}encoder.layer." };
        foreach (var (name, stem) in ((string, string)[])[("xmod", "roberta."), ("xmod, own name", "xmod.")])
            yield return Alike(bert, "xmod") with
            {
                Name = name, Stem = $"{stem}encoder.layer.", Others = [.. bert.Others, "output.adapter_modules.en_XX.dense1.weight:4,D"],
            };
        foreach (
            var (type, stem) in ((string, string)[])
                [
                    ("megatron-bert, the model alone", ""), ("roberta-prelayernorm", "roberta_prelayernorm."),
                    ("xlm-roberta-xl", "roberta."),
                ])
            yield return Alike(megatron, type.Split(',')[0]) with { Name = type, Stem = $"{stem}encoder.layer." };
    }

    private static IEnumerable<TinyFamily> Hybrid()
    {
        string[] mamba = ["input_layernorm.weight:D", "mamba.A_log:2", "mamba.in_proj.weight:F,D"];
        string[] linear = ["input_layernorm.weight:D", "linear_attn.A_log:2", "linear_attn.in_proj_qkv.weight:F,D"];
        foreach (
            var family in (TinyFamily[])
                [
                    Hybrid(
                        "jamba", mamba,
                        ["input_layernorm.weight:D", "pre_ff_layernorm.weight:D", "feed_forward.up_proj.weight:F,D"]) with
                    {
                        Pairs = PairKind.None,
                    },
                    Hybrid(
                        "lfm2", ["operator_norm.weight:D", "conv.conv.weight:D,1"],
                        [
                            "operator_norm.weight:D", "ffn_norm.weight:D", "feed_forward.w1.weight:F,D", "self_attn.q_layernorm.weight:4",
                            "self_attn.k_layernorm.weight:4",
                        ]) with { O = "self_attn.out_proj", QueryKeyRefused = QkNorm },
                    Hybrid(
                        "lara_mini", ["input_layernorm.weight:D", "linear_attn.A_log:2", "linear_attn.in_proj.weight:F,D"],
                        [.. Norms, .. HeadNorms, "mlp.gate.weight:2,D"]) with { QueryKeyRefused = QkNorm },
                    Hybrid(
                        "olmo_hybrid", ["attention_layer_norm.weight:D", "linear_attn.A_log:2", "linear_attn.q_proj.weight:F,D"],
                        [
                            .. HeadNorms, "feedforward_layer_norm.weight:D", "post_feedforward_layernorm.weight:D",
                            "mlp.up_proj.weight:F,D",
                        ]) with { QueryKeyRefused = QkNorm },
                    Hybrid(
                        "granitemoehybrid", mamba,
                        [.. Norms, "block_sparse_moe.router.layer.weight:2,D", "shared_mlp.input_linear.weight:F,D"]) with
                    {
                        Config = Kv + ",'position_embedding_type':'rope'",
                    },
                    Hybrid("minimax", ["self_attn.qkv_proj.weight:48,D"], [.. Norms, "block_sparse_moe.gate.weight:2,D"]),
                    Hybrid("nemotron_h", ["norm.weight:D", "mixer.A_log:2"], ["norm.weight:D"]) with
                    {
                        Q = "mixer.q_proj", K = "mixer.k_proj", V = "mixer.v_proj", O = "mixer.o_proj", Pairs = PairKind.None,
                        Stem = "backbone.layers.",
                    },
                ])
        {
            yield return family;
            yield return family with
            {
                Name = $"{family.Name}, own head_dim", ConfigurationOnly = true, Config = family.Config + ",'head_dim':{d}", HeadDim = 6,
                RotaryDims = 6,
            };
            yield return family with
            {
                Name = $"{family.Name}, no kv heads", ConfigurationOnly = true, KvHeads = 4,
                Config = family.Config.Replace(",'num_key_value_heads':{KV}", ""),
            };
        }

        yield return Alike(Hybrid("lfm2", ["conv.conv.weight:D,1"], []), "lfm2_moe") with
        {
            O = "self_attn.out_proj", QueryKeyRefused = QkNorm,
        };
        yield return Hybrid("granitemoehybrid", mamba, [.. Norms]) with
        {
            Name = "granitemoehybrid, no position", Pairs = PairKind.None,
        };
        foreach (
            var (mixer, stem, keys) in ((string, string, string)[])
                [
                    ("mixer.up_proj.weight:F,D", "layers.", "'num_hidden_layers':{L}"),
                    ("mixer.gate.weight:2,D", "model.layers.", "'layers_block_type':['attention','moe']"),
                ])
            yield return Hybrid("nemotron_h", [mixer], ["norm.weight:D"]) with
            {
                Name = $"nemotron_h, {mixer}", ConfigurationOnly = true, Q = "mixer.q_proj", K = "mixer.k_proj", V = "mixer.v_proj",
                O = "mixer.o_proj", Pairs = PairKind.None, Stem = stem, Config = Kv.Replace("'num_hidden_layers':{L}", keys),
            };
        foreach (string type in (string[])["bamba", "minimax", "qwen3_next", "qwen3_5_text", "qwen3_5_moe_text"])
        {
            var family = Hybrid(
                type, type == "bamba" ? mamba : type == "minimax" ? ["self_attn.qkv_proj.weight:48,D"] : linear,
                type == "bamba" ? ["input_layernorm.weight:D", "pre_ff_layernorm.weight:D", "feed_forward.up_proj.weight:F,D"]
                : type == "minimax" ? Norms
                : [.. Norms, .. HeadNorms, "mlp.up_proj.weight:F,D"]) with
            {
                Name = $"{type}, share by default", ConfigurationOnly = type.StartsWith("qwen3_5", StringComparison.Ordinal), HeadDim = 8,
                Hidden = 32, RotaryDims = type == "bamba" ? 4 : type == "minimax" ? 8 : 2,
                GatedQueries = type[0] == 'q', QueryKeyRefused = type[0] == 'q' ? QkNorm : null,
            };
            yield return family;
            yield return family with { Name = $"{type}, share", Config = KvAndHeadDim + PartialKey, RotaryDims = 6, Hidden = 24 };
            yield return family with
            {
                Name = $"{type}, share in a section", Config = NoKv + PartialInSection, KvHeads = 4, RotaryDims = 6,
            };
        }
    }

    private static TinyFamily Named(string type, string[] others, string? qk = null, string? vo = null) =>
        new(type, type) { Others = others, QueryKeyRefused = qk, ValueOutputRefused = vo };

    private static TinyFamily Hybrid(string type, string[] mixer, string[] others) =>
        Named(type, others) with { LayersWithoutAttention = [1], InsteadOfAttention = mixer };

    /// <summary>Another model type that is the same in all that matters.</summary>
    private static TinyFamily Alike(TinyFamily family, string type) =>
        family with { Name = type, ModelType = type, ConfigurationOnly = true };

    private static TinyFamily ByDefinition(string name) => Separate().First(family => family.Name == name);
}
