using System.Collections.Frozen;

namespace Wisca.Torch.Models;

/// <summary>
/// What each family's <c>config.json</c> means. Where a key is absent, the value is that of the family's configuration class in
/// Hugging Face transformers.
/// </summary>
internal static partial class DecoderFamilies
{
    public static FrozenDictionary<string, Func<ConfigReader, DecoderConfig>> ByModelType { get; } =
        new Dictionary<string, Func<ConfigReader, DecoderConfig>>
        {
            ["cohere"] = Cohere,
            ["deepseek_v3"] = DeepseekV3,
            ["falcon"] = Falcon,
            ["gemma"] = Gemma,
            ["gemma2"] = Gemma2,
            ["gemma3_text"] = Gemma3,
            ["glm"] = Glm,
            ["glm4"] = Glm4,
            ["gpt2"] = Gpt2,
            ["gpt_neox"] = GptNeoX,
            ["granite"] = Granite,
            ["llama"] = Llama,
            ["mistral"] = Mistral,
            ["mixtral"] = Mixtral,
            ["olmo2"] = Olmo2,
            ["olmoe"] = OlmoMixture,
            ["opt"] = Opt,
            ["phi"] = Phi,
            ["phi3"] = Phi3,
            ["qwen2"] = Qwen2,
            ["qwen2_moe"] = Qwen2Mixture,
            ["qwen3"] = Qwen3,
            ["smollm3"] = SmolLm3,
            ["stablelm"] = StableLm,
            ["starcoder2"] = Starcoder2,
        }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>What Hugging Face transformers calls a family's model with an output projection.</summary>
    public static string ClassName(string modelType) => modelType switch
    {
        "cohere" => "CohereForCausalLM",
        "deepseek_v3" => "DeepseekV3ForCausalLM",
        "falcon" => "FalconForCausalLM",
        "gemma" => "GemmaForCausalLM",
        "gemma2" => "Gemma2ForCausalLM",
        "gemma3_text" => "Gemma3ForCausalLM",
        "glm" => "GlmForCausalLM",
        "glm4" => "Glm4ForCausalLM",
        "gpt2" => "GPT2LMHeadModel",
        "gpt_neox" => "GPTNeoXForCausalLM",
        "granite" => "GraniteForCausalLM",
        "llama" => "LlamaForCausalLM",
        "mistral" => "MistralForCausalLM",
        "mixtral" => "MixtralForCausalLM",
        "olmo2" => "Olmo2ForCausalLM",
        "olmoe" => "OlmoeForCausalLM",
        "opt" => "OPTForCausalLM",
        "phi" => "PhiForCausalLM",
        "phi3" => "Phi3ForCausalLM",
        "qwen2" => "Qwen2ForCausalLM",
        "qwen2_moe" => "Qwen2MoeForCausalLM",
        "qwen3" => "Qwen3ForCausalLM",
        "smollm3" => "SmolLM3ForCausalLM",
        "stablelm" => "StableLmForCausalLM",
        "starcoder2" => "Starcoder2ForCausalLM",
        _ => throw new ArgumentOutOfRangeException(nameof(modelType), modelType, null),
    };
}
