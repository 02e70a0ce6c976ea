
namespace Wisca.Core.Tests.Architectures;

/// <summary>Every family, with every variant that changes where something is or what is exact.</summary>
internal static partial class TinyFamilies
{
    private const string QkNorm = "QK-norm";
    private const string Clip = "clamps";
    private const string NoKv = "'num_hidden_layers':{L},'hidden_size':{D},'num_attention_heads':{H}";
    private const string NullKv = NoKv + ",'num_key_value_heads':null";
    private const string Kv = NoKv + ",'num_key_value_heads':{KV}";
    private const string KvAndHeadDim = Kv + ",'head_dim':{d}";
    private const string Gpt = "'n_layer':{L},'n_embd':{D},'n_head':{H}";
    private const string InverseFrequencies = "self_attn.rotary_emb.inv_freq:2";

    private static readonly string[] LayerNorms =
        ["input_layernorm.weight:D", "input_layernorm.bias:D", "post_attention_layernorm.weight:D", "post_attention_layernorm.bias:D"];
    private static readonly string[] GptNorms =
        ["ln_1.weight:D", "ln_1.bias:D", "ln_2.weight:D", "ln_2.bias:D", "mlp.c_fc.weight:F,D", "mlp.c_proj.weight:D,F"];

    public static IReadOnlyDictionary<string, TinyFamily> ByName { get; } = Create().ToDictionary(family => family.Name);

    /// <summary>The variants' names, as theory data.</summary>
    public static TheoryData<string> Names => [.. ByName.Keys];

    private static IEnumerable<TinyFamily> Create()
    {
        TinyFamily[] families =
        [
            .. Separate(),
            .. WithQueryKeyNorm(),
            .. Partial(),
            .. LayerWise(),
            .. Gpts(),
            .. PerHead(),
            .. Falcons(),
            .. Mpts(),
            .. Fused(),
            .. Multimodal(),
            .. Later(),
            .. Hybrid(),
        ];

        // The same model saved without its head lacks the first part of every name.
        var based = families.Where(family => family.Stem == "layers.").Select(family => family.ModelType).ToHashSet();
        return
        [
            .. families,
            .. families.Where(family => family.Stem == "model.layers.").DistinctBy(family => family.ModelType)
                .Where(family => !based.Contains(family.ModelType))
                .Select(family => family with { Name = $"{family.Name}, base model", Stem = "layers.", ConfigurationOnly = true }),
        ];
    }

    /// <summary>Llama's layout, and what differs from it in names of norms, biases and defaults only.</summary>
    private static IEnumerable<TinyFamily> Separate()
    {
        var llama = new TinyFamily("llama", "llama");
        yield return llama with { Others = [.. llama.Others, InverseFrequencies] };
        yield return llama with { Name = "llama, base model", Stem = "layers.", Config = NoKv, KvHeads = 4 };
        yield return llama with { Name = "llama, biases", Bias = true, OutputBias = true, KvHeads = 4, Config = NullKv };
        yield return llama with
        {
            Name = "llama, multi-query, own head_dim",
            KvHeads = 1,
            HeadDim = 6,
            RotaryDims = 6,
            Config = KvAndHeadDim,
        };
        yield return llama with { Name = "yi", ModelType = "Yi", Others = ["ln1.weight:D", "ln2.weight:D", .. TinyFamily.GatedMlp] };
        foreach (string type in (string[])["aquila", "xverse", "internlm", "minicpm", "seed_oss", "arcee"]) yield return llama with
        {
            Name = type, ModelType = type, ConfigurationOnly = true,
        };
        yield return llama with
        {
            Name = "arcee, without a gate",
            ModelType = "arcee",
            Others = [.. llama.Others.Where(other => !other.Contains("gate_proj"))],
            ConfigurationOnly = true,
        };
        yield return llama with { Name = "mistral, no head_dim", ConfigurationOnly = true, ModelType = "mistral" };
        foreach (string type in (string[])["mistral", "ministral", "ministral3"]) yield return llama with
        {
            Name = type, ModelType = type, ConfigurationOnly = type != "mistral", HeadDim = 6, RotaryDims = 6, Config = KvAndHeadDim,
        };

        yield return llama with
        {
            Name = "mixtral",
            ModelType = "mixtral",
            Others =
            [
                "input_layernorm.weight:D", "post_attention_layernorm.weight:D", InverseFrequencies, "block_sparse_moe.gate.weight:2,D",
                "block_sparse_moe.experts.0.w1.weight:F,D",
                "block_sparse_moe.experts.0.w2.weight:D,F",
                "block_sparse_moe.experts.0.w3.weight:F,D",
            ],
        };
        yield return llama with
        {
            Name = "mixtral, fused experts", ModelType = "mixtral",
            Others = ["input_layernorm.weight:D", "post_attention_layernorm.weight:D", "mlp.experts.gate_up_proj:2,F,D"],
        };
        yield return llama with { Name = "qwen2", ModelType = "qwen2", Bias = true };
        yield return llama with
        {
            Name = "qwen2_moe", ModelType = "qwen2_moe", Bias = true,
            Others = [.. llama.Others, "mlp.shared_expert_gate.weight:1,D", "mlp.experts.0.up_proj.weight:F,D"],
        };
        yield return llama with
        {
            Name = "starcoder2", ModelType = "starcoder2", Bias = true, OutputBias = true,
            Others = [.. LayerNorms, "mlp.c_fc.weight:F,D", "mlp.c_proj.weight:D,F"],
        };
        yield return llama with { Name = "gemma", ModelType = "gemma", HeadDim = 6, RotaryDims = 6, KvHeads = 1, Config = KvAndHeadDim };
        yield return llama with
        {
            Name = "gemma, default head_dim", ConfigurationOnly = true, ModelType = "gemma", Heads = 2, KvHeads = 1, Hidden = 8,
            HeadDim = 256,
            RotaryDims = 256,
        };
        string[] fourNorms =
        [
            "input_layernorm.weight:D", "post_attention_layernorm.weight:D", "pre_feedforward_layernorm.weight:D",
            "post_feedforward_layernorm.weight:D",
        ];
        yield return llama with
        {
            Name = "gemma2", ModelType = "gemma2", HeadDim = 6, RotaryDims = 6, Config = KvAndHeadDim, SoftCap = 5,
            Others = [.. fourNorms, InverseFrequencies, .. TinyFamily.GatedMlp],
        };
        yield return llama with
        {
            Name = "gemma2, default head_dim", ConfigurationOnly = true, ModelType = "gemma2", Heads = 2, KvHeads = 1, Hidden = 8,
            HeadDim = 256,
            RotaryDims = 256,
        };
        yield return llama with { Name = "granite", ModelType = "granite", Others = [.. llama.Others, InverseFrequencies] };
        foreach (string type in (string[])["granite", "olmo", "starcoder2"])
        {
            string[] mlp = type == "starcoder2" ? ["mlp.c_fc.weight:F,D", "mlp.c_proj.weight:D,F"] : TinyFamily.GatedMlp;
            yield return llama with
            {
                Name = $"{type}, own head_dim", ConfigurationOnly = true, ModelType = type, Config = KvAndHeadDim, HeadDim = 6,
                RotaryDims = 6,
                Others = mlp,
            };
            yield return llama with
            {
                Name = $"{type}, no kv heads, null",
                ConfigurationOnly = true,
                ModelType = type,
                Config = type == "starcoder2" ? NullKv : NoKv,
                KvHeads = 4, Others = mlp,
            };
        }

        yield return llama with
        {
            Name = "granitemoe",
            ModelType = "granitemoe",
            Others = ["input_layernorm.weight:D", "post_attention_layernorm.weight:D", "block_sparse_moe.input_linear.weight:2,F,D",
                "shared_mlp.input_linear.weight:F,D"],
        };
        yield return llama with
        {
            Name = "phimoe, fused experts",
            ConfigurationOnly = true,
            ModelType = "phimoe",
            Others = ["mlp.experts.gate_up_proj:2,F,D"],
        };
        yield return llama with
        {
            Name = "phimoe", ModelType = "phimoe", Bias = true, OutputBias = true, Others = [.. LayerNorms,
            "block_sparse_moe.gate.weight:2,D"],
        };
        yield return llama with { Name = "olmo", ModelType = "olmo", Others = TinyFamily.GatedMlp };
        yield return llama with
        {
            Name = "olmo, clip_qkv",
            ModelType = "olmo",
            Others = TinyFamily.GatedMlp,
            Config = Kv + ",'clip_qkv':0.5",
            Clip = 0.5,
            QueryKeyRefused = Clip,
            ValueOutputRefused = Clip,
        };
        yield return llama with
        {
            Name = "olmo, clip_qkv null", ModelType = "olmo", Others = [.. TinyFamily.GatedMlp, InverseFrequencies],
            Config = KvAndHeadDim + ",'clip_qkv':null",
        };
        foreach (string type in (string[])["helium", "ernie4_5"]) yield return llama with
        {
            Name = type, ModelType = type, Pairs = PairKind.Interleaved, Config = KvAndHeadDim,
            Others = [.. llama.Others, InverseFrequencies],
        };
        yield return llama with
        {
            Name = "helium, default head_dim", ConfigurationOnly = true, ModelType = "helium", Pairs = PairKind.Interleaved, Heads = 2,
            KvHeads = 2,
            Hidden = 8, HeadDim = 128, RotaryDims = 128,
        };
        yield return llama with
        {
            Name = "ernie4_5, default head_dim", ConfigurationOnly = true, ModelType = "ernie4_5", Pairs = PairKind.Interleaved, Heads = 2,
            KvHeads = 2,
            Hidden = 8, HeadDim = 128, RotaryDims = 128,
        };
        yield return llama with
        {
            Name = "ernie4_5, head_dim null", ConfigurationOnly = true, ModelType = "ernie4_5", Pairs = PairKind.Interleaved,
            Config = Kv + ",'head_dim':null", Others = [.. llama.Others, InverseFrequencies],
        };
        var oss = llama with
        {
            Name = "gpt_oss", ModelType = "gpt_oss", Config = KvAndHeadDim, Bias = true, OutputBias = true, Sinks = "self_attn.sinks",
            Others =
            [
                "input_layernorm.weight:D", "post_attention_layernorm.weight:D", InverseFrequencies, "mlp.router.weight:2,D",
                "mlp.experts.gate_up_proj:2,D,F", "mlp.experts.gate_up_proj_bias:2,F", "mlp.experts.down_proj:2,F,D",
            ],
        };
        yield return oss;
        yield return oss with
        {
            Name = "gpt_oss, default head_dim", ConfigurationOnly = true, Config = Kv, Heads = 2, KvHeads = 1, Hidden = 8, HeadDim = 64,
            RotaryDims = 64,
        };
        yield return oss with { Name = "gpt_oss, head_dim null", ConfigurationOnly = true, Config = Kv + ",'head_dim':null" };

        // Classes whose number of kv heads, where the key is absent, is a number of their own, and where it is null, that of the heads.
        foreach (
            var (type, kvHeads) in ((string, int)[])
                [
                    ("mistral", 8), ("mixtral", 8), ("qwen2", 32), ("qwen2_moe", 16), ("starcoder2", 2), ("gemma", 16), ("gemma2", 4),
                    ("phimoe", 8), ("smollm3", 4), ("stablelm", 32), ("glm", 2), ("gpt_oss", 8), ("helium", 20), ("ernie4_5", 2),
                ])
        {
            var family = llama with
            {
                Name = $"{type}, absent kv heads",
                ConfigurationOnly = true,
                ModelType = type,
                Config = NoKv + ",'head_dim':{d},'no_rope_layers':[1,1]",
                KvHeads = kvHeads,
                Heads = 2 * kvHeads,
                HeadDim = 4,
                Others = ["input_layernorm.weight:D", InverseFrequencies],
                Pairs = type is "glm" or "helium" or "ernie4_5" ? PairKind.Interleaved : PairKind.Half,
                RotaryDims = 4,
            };
            if (type is "stablelm" or "glm") family = family with { HeadDim = 8, RotaryDims = type == "glm" ? 4 : 2 };
            yield return family;
            yield return family with
            {
                Name = $"{type}, null kv heads",
                Config = NullKv + ",'head_dim':{d},'no_rope_layers':[1,1]",
                Heads = 3,
                KvHeads = 3,
            };
        }
    }

    private static IEnumerable<TinyFamily> WithQueryKeyNorm()
    {
        var qwen3 = new TinyFamily("qwen3", "qwen3")
        {
            HeadDim = 6, RotaryDims = 6, Config = KvAndHeadDim, Norm = HeadNorm.RmsPerHead, QueryKeyRefused = QkNorm,
        };
        yield return qwen3 with { Others = [.. qwen3.Others, InverseFrequencies] };
        yield return qwen3 with { Name = "qwen3_vl_text", ModelType = "qwen3_vl_text", ConfigurationOnly = true };
        yield return qwen3 with
        {
            Name = "qwen3_vl", ModelType = "qwen3_vl", ConfigurationOnly = true, Stem = "model.language_model.layers.",
            Config = "'text_config':{'model_type':'qwen3_vl_text'," + KvAndHeadDim + "},'vision_config':{'hidden_size':3}",
        };
        yield return qwen3 with
        {
            Name = "qwen3, default head_dim", ConfigurationOnly = true, Config = NoKv, Heads = 32, KvHeads = 32, Hidden = 4, HeadDim = 128,
            RotaryDims = 128, Layers = 1,
        };
        yield return qwen3 with { Name = "qwen3, null kv heads", ConfigurationOnly = true, Config = NullKv + ",'head_dim':6", KvHeads = 4 };
        yield return qwen3 with
        {
            Name = "qwen3_moe", ModelType = "qwen3_moe",
            Others = ["input_layernorm.weight:D", "post_attention_layernorm.weight:D", InverseFrequencies, "mlp.gate.weight:2,D",
                "mlp.experts.0.up_proj.weight:F,D"],
        };
        yield return qwen3 with
        {
            Name = "qwen3_moe, absent kv heads", ConfigurationOnly = true, ModelType = "qwen3_moe", Config = NoKv, Heads = 8, KvHeads = 4,
            Hidden = 32, HeadDim = 4, RotaryDims = 4,
        };
        yield return qwen3 with
        {
            Name = "qwen3_moe, null kv heads", ConfigurationOnly = true, ModelType = "qwen3_moe", Config = NullKv, Heads = 3, KvHeads = 3,
            Hidden = 12, HeadDim = 4, RotaryDims = 4,
        };
        var olmo2 = qwen3 with
        {
            Name = "olmo2",
            ModelType = "olmo2",
            Norm = HeadNorm.RmsWhole,
            HeadDim = 4,
            RotaryDims = 4,
            Config = Kv,
            Others =
            [
                "post_attention_layernorm.weight:D",
                "post_feedforward_layernorm.weight:D",
                InverseFrequencies,
                .. TinyFamily.GatedMlp,
            ],
        };
        yield return olmo2;
        yield return olmo2 with { Name = "olmo3", ModelType = "olmo3" };
        yield return olmo2 with
        {
            Name = "flex_olmo", ModelType = "flex_olmo",
            Others = ["post_attention_layernorm.weight:D", "post_feedforward_layernorm.weight:D", "mlp.experts.0.up_proj.weight:F,D"],
        };
        yield return olmo2 with
        {
            Name = "exaone4",
            ModelType = "exaone4",
            Norm = HeadNorm.RmsPerHead,
            HeadDim = 6,
            RotaryDims = 6,
            Config = KvAndHeadDim,
        };
        yield return olmo2 with { Name = "olmo2, absent kv heads", ConfigurationOnly = true, Config = NoKv, KvHeads = 4 };
        var gemma3 = qwen3 with
        {
            Name = "gemma3_text",
            ModelType = "gemma3_text",
            Norm = HeadNorm.RmsPerHeadPlusOne,
            Others = ["input_layernorm.weight:D", "post_attention_layernorm.weight:D", "pre_feedforward_layernorm.weight:D",
                "post_feedforward_layernorm.weight:D", InverseFrequencies, .. TinyFamily.GatedMlp],
        };
        yield return gemma3;
        yield return gemma3 with { Name = "gemma3_text, base model", Stem = "layers." };
        yield return gemma3 with
        {
            Name = "gemma3_text, defaults", ConfigurationOnly = true, Config = "'num_hidden_layers':{L},'hidden_size':{D}", Heads = 8,
            KvHeads = 4,
            Hidden = 4, HeadDim = 256, RotaryDims = 256,
        };
        yield return gemma3 with
        {
            Name = "gemma3_text, null kv heads",
            ConfigurationOnly = true,
            Config = NullKv + ",'head_dim':6",
            Heads = 3,
            KvHeads = 3,
        };
        var cohere = new TinyFamily("cohere", "cohere")
        {
            Pairs = PairKind.Interleaved, Others = ["input_layernorm.weight:D", InverseFrequencies, .. TinyFamily.GatedMlp],
        };
        yield return cohere;
        yield return cohere with { Name = "cohere, absent kv heads", ConfigurationOnly = true, Config = NoKv, KvHeads = 4 };
        yield return cohere with
        {
            Name = "cohere, use_qk_norm",
            Config = KvAndHeadDim + ",'use_qk_norm':true",
            Norm = HeadNorm.LayerNormHeads,
            QueryKeyRefused = QkNorm,
        };
        yield return cohere with { Name = "cohere, norms without the key", Norm = HeadNorm.LayerNormHeads, QueryKeyRefused = QkNorm };
    }

    private static IEnumerable<TinyFamily> Partial()
    {
        string[] fc = ["mlp.fc1.weight:F,D", "mlp.fc2.weight:D,F"];
        var phi = new TinyFamily("phi", "phi")
        {
            Hidden = 32, HeadDim = 8, KvHeads = 4, RotaryDims = 4, Config = NoKv, Bias = true, OutputBias = true, O = "self_attn.dense",
            Others = ["input_layernorm.weight:D", "input_layernorm.bias:D", InverseFrequencies, .. fc],
        };
        yield return phi;
        yield return phi with
        {
            Name = "phi, base model, grouped", Stem = "layers.", KvHeads = 2, RotaryDims = 6, Config = Kv + ",'partial_rotary_factor':0.75",
        };
        yield return phi with
        {
            Name = "phi, rope_parameters",
            RotaryDims = 6,
            Config = Kv + ",'rope_parameters':{'partial_rotary_factor':0.75}",
        };
        yield return phi with
        {
            Name = "phi, qk_layernorm",
            Config = Kv + ",'qk_layernorm':true",
            Norm = HeadNorm.LayerNormShared,
            NormName = "self_attn.?_layernorm",
            QueryKeyRefused = QkNorm,
        };
        yield return phi with
        {
            Name = "phi, norms without the key",
            Norm = HeadNorm.LayerNormShared,
            NormName = "self_attn.?_layernorm",
            QueryKeyRefused = QkNorm,
        };
        var persimmon = phi with
        {
            Name = "persimmon", ModelType = "persimmon", Fused = FusedKind.PerHead, Qkv = "self_attn.query_key_value",
            Config = NoKv + ",'qk_layernorm':false",
            Others = [.. LayerNorms, InverseFrequencies, "mlp.dense_h_to_4h.weight:F,D"],
        };
        yield return persimmon;
        yield return persimmon with
        {
            Name = "persimmon, base model",
            Stem = "layers.",
            Config = NoKv + ",'qk_layernorm':false,'partial_rotary_factor':0.75",
            RotaryDims = 6,
        };
        yield return persimmon with
        {
            Name = "persimmon, rope_parameters", Config = NoKv + ",'qk_layernorm':false,'rope_parameters':{'partial_rotary_factor':0.75}",
            RotaryDims = 6,
        };
        yield return persimmon with
        {
            Name = "persimmon, norms by default", Config = NoKv, Norm = HeadNorm.LayerNormShared, NormName = "self_attn.?_layernorm",
            QueryKeyRefused = QkNorm,
        };
        yield return persimmon with
        {
            Name = "persimmon, norms by default, not stored",
            ConfigurationOnly = true,
            Config = NoKv,
            QueryKeyRefused = QkNorm,
        };
        yield return persimmon with
        {
            Name = "persimmon, norms against the key",
            Norm = HeadNorm.LayerNormShared,
            NormName = "self_attn.?_layernorm",
            QueryKeyRefused = QkNorm,
        };
        var stablelm = new TinyFamily("stablelm", "stablelm")
        {
            Hidden = 64, HeadDim = 16, RotaryDims = 4, Others = [.. LayerNorms, InverseFrequencies, .. TinyFamily.GatedMlp],
        };
        yield return stablelm;
        yield return stablelm with
        {
            Name = "stablelm, biases, parallel", Bias = true, RotaryDims = 8, Config = KvAndHeadDim + ",'partial_rotary_factor':0.5",
            Others = ["input_layernorm.weight:D", .. TinyFamily.GatedMlp],
        };
        yield return stablelm with
        {
            Name = "stablelm, rope_parameters",
            RotaryDims = 8,
            Config = Kv + ",'rope_parameters':{'partial_rotary_factor':0.5}",
        };
        yield return stablelm with
        {
            Name = "stablelm_epoch",
            ModelType = "stablelm_epoch",
            RotaryDims = 8,
            Config = Kv + ",'rope_pct':0.5",
        };
        yield return stablelm with
        {
            Name = "stablelm, qk_layernorm",
            Config = Kv + ",'qk_layernorm':true",
            Norm = HeadNorm.LayerNormEach,
            NormName = "self_attn.?_layernorm",
            QueryKeyRefused = QkNorm,
        };
        yield return stablelm with
        {
            Name = "stablelm, norms without the key",
            Norm = HeadNorm.LayerNormEach,
            NormName = "self_attn.?_layernorm",
            QueryKeyRefused = QkNorm,
        };
        var nemotron = stablelm with
        {
            Name = "nemotron", ModelType = "nemotron", HeadDim = 8, Hidden = 32,
            Others = [.. LayerNorms, InverseFrequencies, "mlp.up_proj.weight:F,D"],
        };
        yield return nemotron;
        yield return nemotron with
        {
            Name = "nemotron, base model", Stem = "layers.", Config = NoKv + ",'head_dim':{d},'partial_rotary_factor':0.75", KvHeads = 4,
            RotaryDims = 6,
        };
        yield return nemotron with { Name = "nemotron, own head_dim", ConfigurationOnly = true, Config = KvAndHeadDim, Hidden = 16 };
        yield return nemotron with
        {
            Name = "nemotron, rope_parameters",
            Config = Kv + ",'rope_parameters':{'partial_rotary_factor':0.75}",
            RotaryDims = 6,
        };
        var glm = nemotron with
        {
            Name = "glm", ModelType = "glm", Pairs = PairKind.Interleaved, Config = KvAndHeadDim, Bias = true,
            Others = ["input_layernorm.weight:D", "post_attention_layernorm.weight:D", InverseFrequencies, "mlp.gate_up_proj.weight:F,D"],
        };
        yield return glm;
        yield return glm with
        {
            Name = "glm4", ModelType = "glm4", Others = [.. glm.Others, "post_self_attn_layernorm.weight:D", "post_mlp_layernorm.weight:D"],
        };
        yield return glm with
        {
            Name = "glm, base model",
            Stem = "layers.",
            Config = KvAndHeadDim + ",'partial_rotary_factor':0.75",
            RotaryDims = 6,
        };
        yield return glm with
        {
            Name = "glm, rope_parameters",
            Config = Kv + ",'head_dim':null,'rope_parameters':{'partial_rotary_factor':0.75}",
            RotaryDims = 6,
        };
        yield return glm with
        {
            Name = "glm, default head_dim", ConfigurationOnly = true, Config = Kv, Heads = 2, KvHeads = 1, Hidden = 8, HeadDim = 128,
            RotaryDims = 64,
        };
        var neox = phi with
        {
            Name = "gpt_neox", ModelType = "gpt_neox", Stem = "gpt_neox.layers.", Fused = FusedKind.PerHead,
            Qkv = "attention.query_key_value", O =
                "attention.dense", Hidden = 64, HeadDim = 16,
            Others = [.. LayerNorms, "attention.bias:1,1,4,4", "attention.masked_bias:1", "attention.rotary_emb.inv_freq:2",
            "mlp.dense_h_to_4h.weight:F,D"],
        };
        yield return neox;
        yield return neox with
        {
            Name = "gpt_neox, no biases, rotary_pct", Bias = false, OutputBias = false, RotaryDims = 16,
            Config = NoKv + ",'rotary_pct':1.0",
        };
        yield return neox with
        {
            Name = "gpt_neox, base model",
            Stem = "layers.",
            RotaryDims = 8,
            Config = NoKv + ",'partial_rotary_factor':0.5",
        };
        yield return neox with
        {
            Name = "gpt_neox, rope_parameters",
            RotaryDims = 8,
            Config = NoKv + ",'rope_parameters':{'partial_rotary_factor':0.5}",
        };
    }

    private static IEnumerable<TinyFamily> LayerWise()
    {
        var smol = new TinyFamily("smollm3", "smollm3")
        {
            Layers = 4, LayersWithoutRope = [3],
            Others = ["input_layernorm.weight:D", "post_attention_layernorm.weight:D", InverseFrequencies, .. TinyFamily.GatedMlp],
        };
        yield return smol;
        yield return smol with
        {
            Name = "smollm3, no_rope_layers",
            LayersWithoutRope = [0, 2],
            Config = KvAndHeadDim + ",'no_rope_layers':[0,1,0,1,1]",
        };
        yield return smol with
        {
            Name = "smollm3, interval, base model", Stem = "layers.", LayersWithoutRope = [1, 3],
            Config = Kv + ",'no_rope_layers':null,'no_rope_layer_interval':2",
        };
        var cohere2 = smol with
        {
            Name = "cohere2", ModelType = "cohere2", Pairs = PairKind.Interleaved,
            Others = ["input_layernorm.weight:D", InverseFrequencies, .. TinyFamily.GatedMlp],
        };
        yield return cohere2;
        yield return cohere2 with
        {
            Name = "cohere2, layer_types, base model", Stem = "layers.", Layers = 2, LayersWithoutRope = [0], KvHeads = 4,
            Config = NoKv + ",'layer_types':['full_attention','sliding_attention']",
        };
        yield return cohere2 with { Name = "cohere2, pattern", LayersWithoutRope = [1, 3], Config = Kv + ",'sliding_window_pattern':2" };
    }

    private static IEnumerable<TinyFamily> Gpts()
    {
        var gpt2 = new TinyFamily("gpt2", "gpt2")
        {
            Stem = "transformer.h.", Config = Gpt, KvHeads = 4, Fused = FusedKind.Concatenated, Qkv = "attn.c_attn", O = "attn.c_proj",
            Transposed =
                true, Bias = true, OutputBias = true,
            Pairs = PairKind.None, Others = [.. GptNorms, "attn.bias:1,1,4,4", "attn.masked_bias:1"],
        };
        yield return gpt2;
        yield return gpt2 with
        {
            Name = "gpt2, base model, cross-attention",
            Stem = "h.",
            Config = "'num_hidden_layers':{L},'hidden_size':{D},'num_attention_heads':{H}",
            Others = [.. GptNorms, "crossattention.c_attn.weight:D,D", "ln_cross_attn.weight:D"],
        };
        var bigcode = gpt2 with { Name = "gpt_bigcode", ModelType = "gpt_bigcode", Transposed = false, KvHeads = 1 };
        yield return bigcode;
        yield return bigcode with
        {
            Name = "gpt_bigcode, multi-head",
            Config = Gpt + ",'multi_query':false",
            KvHeads = 4,
            Fused = FusedKind.PerHead,
        };
        yield return bigcode with
        {
            Name = "gpt_bigcode, base model", Stem = "h.",
            Config = "'num_hidden_layers':{L},'hidden_size':{D},'num_attention_heads':{H},'multi_query':true",
        };
        var neo = gpt2 with
        {
            Name = "gpt_neo", ModelType = "gpt_neo", Config = "'num_layers':{L},'hidden_size':{D},'num_heads':{H}", Fused =
                FusedKind.Separate, Transposed = false, Bias = false,
            Q = "attn.attention.q_proj", K = "attn.attention.k_proj", V = "attn.attention.v_proj", O = "attn.attention.out_proj",
            Others = [.. GptNorms, "attn.attention.bias:1,1,4,4", "attn.attention.masked_bias:1"],
        };
        yield return neo;
        yield return neo with { Name = "gpt_neo, base model", Stem = "h.", Config = NoKv };
        var gptj = neo with
        {
            Name = "gptj", ModelType = "gptj", Config = Gpt + ",'rotary_dim':4", Hidden = 32, HeadDim = 8, OutputBias = false,
            Pairs = PairKind.Interleaved,
            Q = "attn.q_proj", K = "attn.k_proj", V = "attn.v_proj", O = "attn.out_proj",
            Others = ["ln_1.weight:D", "ln_1.bias:D", "mlp.fc_in.weight:F,D", "attn.bias:1,1,4,4", "attn.masked_bias:1",
            "attn.embed_positions:4,4"],
        };
        yield return gptj;
        yield return gptj with
        {
            Name = "gptj, base model, rotary_dim null",
            Stem = "h.",
            Config = NoKv + ",'rotary_dim':null",
            RotaryDims = 8,
        };
        yield return gptj with
        {
            Name = "gptj, default rotary_dim", ConfigurationOnly = true, Config = Gpt, Heads = 2, KvHeads = 2, HeadDim = 66, Hidden = 132,
            RotaryDims = 64, Layers = 1,
        };
        var codegen = gptj with
        {
            Name = "codegen", ModelType = "codegen", Fused = FusedKind.CodeGen, Qkv = "attn.qkv_proj", Heads = 8, KvHeads = 8, Hidden = 64,
            Others = ["ln_1.weight:D", "ln_1.bias:D", "mlp.fc_in.weight:F,D", "attn.causal_mask:1,1,4,4", "attn.bias:1",
            "attn.masked_bias:1"],
        };
        yield return codegen;
        yield return codegen with
        {
            Name = "codegen, base model, rotary_dim null", Stem = "h.", Config = NoKv + ",'rotary_dim':null", Heads = 4, KvHeads = 4,
            Hidden = 32,
            RotaryDims = 8,
        };
        yield return codegen with
        {
            Name = "codegen, default rotary_dim", ConfigurationOnly = true, Config = Gpt, Heads = 4, KvHeads = 4, HeadDim = 66,
            Hidden = 264,
            RotaryDims = 64, Layers = 1,
        };
        yield return codegen with
        {
            Name = "codegen 2", Config = Gpt + ",'rotary_dim':4,'auto_map':{'AutoConfig':'x'}", QueryKeyRefused = "8 blocks",
            ValueOutputRefused = "8 blocks",
        };
        var opt = gpt2 with
        {
            Name = "opt", ModelType = "opt", Config = NoKv, Stem = "model.decoder.layers.", Fused = FusedKind.Separate, Transposed = false,
            O =
                "self_attn.out_proj",
            Others = ["self_attn_layer_norm.weight:D", "self_attn_layer_norm.bias:D", "final_layer_norm.weight:D", "fc1.weight:F,D",
            "fc2.weight:D,F"],
        };
        yield return opt;
        yield return opt with { Name = "opt, base model, no biases", Stem = "decoder.layers.", Bias = false, OutputBias = false };
        yield return opt with { Name = "opt, decoder only", Stem = "layers." };
    }

    private static IEnumerable<TinyFamily> PerHead()
    {
        var bloom = new TinyFamily("bloom", "bloom")
        {
            Stem = "transformer.h.", Config = "'n_layer':{L},'n_embed':{D},'n_head':{H}", KvHeads = 4, Fused = FusedKind.PerHead, Qkv =
                "self_attention.query_key_value", O = "self_attention.dense",
            Bias = true, OutputBias = true, Pairs = PairKind.None, Alibi = true, Others = [.. LayerNorms, "mlp.dense_h_to_4h.weight:F,D"],
        };
        yield return bloom;
        yield return bloom with { Name = "bloom, base model", Stem = "h.", Config = NoKv };
    }

    private static IEnumerable<TinyFamily> Falcons()
    {
        var multiQuery = new TinyFamily("falcon, multi-query", "falcon")
        {
            Stem = "transformer.h.", Config = NoKv + ",'multi_query':true", KvHeads = 1, Fused = FusedKind.Concatenated, Qkv =
                "self_attention.query_key_value", O = "self_attention.dense",
            Others = ["input_layernorm.weight:D", "input_layernorm.bias:D", "mlp.dense_h_to_4h.weight:F,D"],
        };
        yield return multiQuery;
        yield return multiQuery with
        {
            Name = "falcon, multi-query by default, base model", Stem = "h.", Config = "'n_layer':{L},'n_embed':{D},'n_head':{H}",
            Others = [.. multiQuery.Others, "self_attention.rotary_emb.inv_freq:2"],
        };
        var grouped = multiQuery with
        {
            Name = "falcon, grouped",
            Config = NoKv + ",'new_decoder_architecture':true,'num_kv_heads':{KV}",
            KvHeads = 2,
            Fused = FusedKind.Grouped,
            Others = ["ln_attn.weight:D", "ln_attn.bias:D", "ln_mlp.weight:D", "ln_mlp.bias:D", "mlp.dense_h_to_4h.weight:F,D",
                "self_attention.rotary.inv_freq:2"],
        };
        yield return grouped;
        yield return grouped with
        {
            Name = "falcon, grouped, n_head_kv, biases", Config = NoKv + ",'new_decoder_architecture':true,'n_head_kv':{KV}", Bias = true,
            OutputBias = true,
        };
        yield return grouped with { Name = "falcon, grouped, all heads", Config = NoKv + ",'new_decoder_architecture':true", KvHeads = 4 };
        var perHead = multiQuery with
        {
            Name = "falcon, per head, ALiBi", Config = NoKv + ",'multi_query':false,'alibi':true", KvHeads = 4, Fused = FusedKind.PerHead,
            Bias =
                true, OutputBias = true, Pairs = PairKind.None, Alibi = true,
            Others = [.. LayerNorms, "mlp.dense_h_to_4h.weight:F,D"],
        };
        yield return perHead;
        yield return perHead with
        {
            Name = "falcon, per head, RoPE", Config = NoKv + ",'multi_query':false,'alibi':false", Pairs = PairKind.Half, Alibi = false,
            Others = [.. LayerNorms, "self_attention.maybe_rotary.inv_freq:2"],
        };
    }

    private static IEnumerable<TinyFamily> Mpts()
    {
        var mpt = new TinyFamily("mpt", "mpt")
        {
            Stem = "transformer.blocks.", Config = "'n_layers':{L},'d_model':{D},'n_heads':{H}", KvHeads = 4,
            Fused = FusedKind.Concatenated, Qkv =
                "attn.Wqkv", O = "attn.out_proj",
            Pairs = PairKind.None, Alibi = true, Others = ["norm_1.weight:D", "norm_2.weight:D", "ffn.up_proj.weight:F,D",
            "ffn.down_proj.weight:D,F"],
        };
        yield return mpt with { Config = mpt.Config + ",'attn_config':{'alibi':true,'clip_qkv':null,'qk_ln':false}" };
        yield return mpt with
        {
            Name = "mpt, base model, grouped",
            Stem = "blocks.",
            Config = mpt.Config + ",'attn_config':{'kv_n_heads':{KV}}",
            KvHeads = 2,
        };
        yield return mpt with { Name = "mpt, no attn_config" };
        yield return mpt with
        {
            Name = "mpt, as transformers spells it", ConfigurationOnly = true,
            Config = "'num_hidden_layers':{L},'hidden_size':{D},'num_attention_heads':{H}",
        };
        yield return mpt with
        {
            Name = "mpt, clip_qkv", Config = mpt.Config + ",'attn_config':{'clip_qkv':0.5}", Clip = 0.5, QueryKeyRefused = Clip,
            ValueOutputRefused = Clip,
        };
        yield return mpt with
        {
            Name = "mpt, qk_ln", Config = mpt.Config + ",'attn_config':{'qk_ln':true}", QueryKeyRefused = QkNorm, Norm = HeadNorm.RmsWhole,
            NormName = "attn.?_ln",
        };
        yield return mpt with
        {
            Name = "mpt, norms without the key",
            QueryKeyRefused = QkNorm,
            Norm = HeadNorm.RmsWhole,
            NormName = "attn.?_ln",
        };
        yield return mpt with
        {
            Name = "mpt, rope",
            Config = mpt.Config + ",'attn_config':{'rope':true}",
            QueryKeyRefused = "rotates in a way",
            Pairs = PairKind.Half,
        };
    }

    private static IEnumerable<TinyFamily> Fused()
    {
        var phi3 = new TinyFamily("phi3", "phi3")
        {
            Fused = FusedKind.Concatenated, Qkv = "self_attn.qkv_proj",
            Others = ["input_layernorm.weight:D", "post_attention_layernorm.weight:D", InverseFrequencies, "mlp.gate_up_proj.weight:F,D"],
        };
        yield return phi3;
        yield return phi3 with
        {
            Name = "phi3, partial, base model", Stem = "layers.", Config = NoKv + ",'partial_rotary_factor':0.75", KvHeads = 4, HeadDim = 8,
            Hidden = 32, RotaryDims = 6,
        };
        yield return phi3 with
        {
            Name = "phi3, rope_parameters",
            Config = KvAndHeadDim + ",'rope_parameters':{'partial_rotary_factor':0.5}",
            HeadDim = 8,
            RotaryDims = 4,
        };
        var internlm2 = phi3 with
        {
            Name = "internlm2", ModelType = "internlm2", Fused = FusedKind.Grouped, Qkv = "attention.wqkv", O = "attention.wo",
            Others = ["attention_norm.weight:D", "ffn_norm.weight:D", "feed_forward.w1.weight:F,D", "attention.rotary_emb.inv_freq:2"],
        };
        yield return internlm2;
        yield return internlm2 with
        {
            Name = "internlm2, biases, base model",
            Stem = "layers.",
            Bias = true,
            OutputBias = true,
            KvHeads = 4,
            Config = NoKv,
        };
    }

    private static IEnumerable<TinyFamily> Multimodal()
    {
        var mistral3 = new TinyFamily("mistral3", "mistral3")
        {
            Config = "'text_config':{'model_type':'mistral'," + KvAndHeadDim + "},'vision_config':{'hidden_size':3}",
            Stem = "language_model.model.layers.",
        };
        yield return mistral3;
        yield return mistral3 with { Name = "mistral3, later names", ConfigurationOnly = true, Stem = "model.language_model.layers." };
        yield return mistral3 with { Name = "mistral3 around ministral3", Config = mistral3.Config.Replace("'mistral'", "'ministral3'") };
        yield return mistral3 with
        {
            Name = "mistral3 that does not name its text model", ConfigurationOnly = true, Stem = "language_model.layers.",
            Config = mistral3.Config.Replace("'model_type':'mistral',", ""),
        };

        // Any wrapper of a known family, under the names of every generation.
        yield return mistral3 with
        {
            Name = "llava", ModelType = "llava", Config = mistral3.Config.Replace("'mistral'", "'llama'"),
            Stem = "model.language_model.layers.",
        };
        yield return mistral3 with
        {
            Name = "smolvlm", ModelType = "smolvlm", ConfigurationOnly = true, Config = mistral3.Config.Replace("'mistral'", "'llama'"),
            Stem = "model.text_model.layers.",
        };
        yield return mistral3 with
        {
            Name = "internvl_chat", ModelType = "internvl_chat", ConfigurationOnly = true, Bias = true,
            Config = mistral3.Config.Replace("'mistral'", "'qwen2'").Replace("text_config", "llm_config"),
        };
        yield return new TinyFamily("qwen2_vl", "qwen2_vl") { Bias = true };
        yield return new TinyFamily("qwen2_5_vl", "qwen2_5_vl")
        {
            ConfigurationOnly = true, Bias = true, Stem = "model.language_model.layers.",
            Config = "'text_config':{'model_type':'qwen2_5_vl_text'," + Kv + "},'vision_config':{'hidden_size':3}",
        };
        foreach (string type in (string[])["qwen2_vl_text", "qwen2_5_vl_text"])
            yield return new TinyFamily(type, type) { ConfigurationOnly = true, Bias = true };
        var gemma3 = mistral3 with
        {
            Name = "gemma3", ModelType = "gemma3", ConfigurationOnly = true, Config =
                "'text_config':{'model_type':'gemma3_text','num_hidden_layers':{L},'hidden_size':{D}}", Heads = 8, KvHeads = 4, Hidden = 4,
                HeadDim =
                256, RotaryDims = 256,
            Norm = HeadNorm.RmsPerHeadPlusOne, QueryKeyRefused = QkNorm,
        };
        yield return gemma3;
        yield return gemma3 with
        {
            Name = "gemma3 that does not name its text model", Config = gemma3.Config.Replace("'model_type':'gemma3_text',", ""),
        };
        yield return gemma3 with
        {
            Name = "gemma3, later names",
            ConfigurationOnly = true,
            Stem = "model.language_model.layers.",
            Layers = 1,
        };
    }
}
