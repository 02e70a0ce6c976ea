using Wisca.Checkpoints;
using Wisca.Evaluation.Flatness;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Tests.Flatness;

/// <summary>Models of two or three hundred parameters in float64, whose Hessians can be written out.</summary>
internal static class SmallModels
{
    private const int Vocabulary = 7;

    /// <summary>A llama with four query heads and two kv heads, or a gpt2, whose three projections are one tensor.</summary>
    public static ModelConfig Config(string modelType) => ModelConfig.Parse(modelType switch
    {
        "gpt2" => $$"""{"model_type": "gpt2", "n_embd": 4, "n_layer": 1, "n_head": 2, "n_positions": 12, "vocab_size": {{Vocabulary}}}""",
        _ => $$"""
            {
              "model_type": "llama", "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2,
              "head_dim": 2, "intermediate_size": 3, "vocab_size": {{Vocabulary}}, "max_position_embeddings": 12,
              "rms_norm_eps": 1e-5, "attention_bias": true
            }
            """,
    });

    public static Decoder Decoder(string modelType, ScalarType dtype = ScalarType.Float64)
    {
        var decoder = Torch.Models.Decoder.Create(
            DecoderConfig.From(Config(modelType)), 1, new InitializationOptions { StandardDeviation = 0.5 }, dtype);
        using var ungraded = no_grad();
        using var scope = NewDisposeScope();
        foreach (var parameter in decoder.parameters().Where(parameter => parameter.dim() < 2))
            parameter.add_(0.2 * FormulaObjective.Normal(7, parameter.shape).to(dtype));
        return decoder;
    }

    public static TokenWindows Windows(int count = 2, int length = 6)
    {
        var random = new Random(4);
        return TokenWindows.Cut([.. Enumerable.Range(0, (count * length) + 1).Select(_ => random.Next(Vocabulary))], length);
    }

    public static DecoderObjective Objective(Decoder model) => new(model, Windows());
}
