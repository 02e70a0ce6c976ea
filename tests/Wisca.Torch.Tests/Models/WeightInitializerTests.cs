using Wisca.Checkpoints;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Models;

[Collection(TorchCollection.Name)]
public sealed class WeightInitializerTests
{
    private const string Gpt2 =
        """
        {
          "model_type": "gpt2", "n_embd": 64, "n_layer": 8, "n_head": 4, "n_positions": 64, "vocab_size": 100,
          "initializer_range": 0.05
        }
        """;
    private const string Gemma =
        """
        {
          "model_type": "gemma", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
          "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 100
        }
        """;

    [Fact]
    public void Create_Gpt2_HasTheFamilysDeviations()
    {
        using var decoder = Decoder.Create(Config(Gpt2), 1);
        foreach (var (name, parameter) in decoder.named_parameters())
        {
            using var scope = NewDisposeScope();
            double deviation = parameter.std().item<float>(), mean = parameter.mean().item<float>();
            if (name.EndsWith(".bias", StringComparison.Ordinal)) parameter.abs().max().item<float>().ShouldBe(0, name);
            else if (name.Contains("ln_", StringComparison.Ordinal)) parameter.eq(1).all().item<bool>().ShouldBeTrue(name);
            else deviation.ShouldBe(name.Contains("c_proj", StringComparison.Ordinal) ? 0.05 / 4 : 0.05, 0.05 * 0.05, name);
            if (parameter.dim() == 2) mean.ShouldBe(0, 0.003, name);
        }
    }

    [Fact]
    public void Create_UnitOffsetGains_AreZero()
    {
        using var decoder = Decoder.Create(Config(Gemma), 1);
        foreach (var (name, parameter) in decoder.named_parameters())
        {
            using var scope = NewDisposeScope();
            parameter.std().item<float>().ShouldBe(name.Contains("norm", StringComparison.Ordinal) ? 0 : 0.02f, 0.001, name);
        }
    }

    [Fact]
    public void Create_SameSeed_GivesTheSameBitsWhateverElseThereIs()
    {
        using Decoder first = Decoder.Create(Config(Gemma), 5), wide = Decoder.Create(Config(Gemma), 5, dtype: ScalarType.Float64);
        manual_seed(99);
        using Decoder second = Decoder.Create(
            Config(Gemma.Replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", StringComparison.Ordinal)),
            5);
        using Decoder other = Decoder.Create(Config(Gemma), 6);
        var (larger, doubled, different) = (second.state_dict(), wide.state_dict(), other.state_dict());
        foreach (var (name, parameter) in first.named_parameters())
        {
            using var scope = NewDisposeScope();
            Same(parameter, larger[name]).ShouldBeTrue(name);
            Same(parameter, doubled[name].to(ScalarType.Float32)).ShouldBeTrue(name);
            Same(parameter, different[name]).ShouldBe(name.Contains("norm", StringComparison.Ordinal), name);
        }

        using var ends = NewDisposeScope();
        Same(first.state_dict()["model.layers.0.self_attn.q_proj.weight"], first.state_dict()["model.layers.1.self_attn.q_proj.weight"])
            .ShouldBeFalse();
    }

    [Fact]
    public void Create_Overrides_HoldInOrder()
    {
        using var decoder = Decoder.Create(Config(Gemma), 1, new InitializationOptions
        {
            StandardDeviation = 0.1,
            ScalesResidual = true,
            Overrides = [new InitializationOverride("*.1.*v_proj.weight", 0), new InitializationOverride("*v_proj.weight", 0.5)],
        });
        var state = decoder.state_dict();
        Deviation("0.self_attn.v_proj").ShouldBe(0.5, 0.05);
        Deviation("1.self_attn.v_proj").ShouldBe(0);
        Deviation("1.self_attn.q_proj").ShouldBe(0.1, 0.01);
        Deviation("1.self_attn.o_proj").ShouldBe(0.05, 0.005);
        Deviation("0.mlp.down_proj").ShouldBe(0.05, 0.005);

        double Deviation(string name)
        {
            using var scope = NewDisposeScope();
            return state[$"model.layers.{name}.weight"].std().item<float>();
        }
    }

    [Fact]
    public void Create_WrongOptions_AreRefused()
    {
        Should
            .Throw<WiscaException>(() =>
                Decoder.Create(
                    Config(Gemma), 1, new InitializationOptions { Overrides = [new InitializationOverride("*.c_proj.weight", 1)] }))
            .Message.ShouldBe("no parameter of the model is called *.c_proj.weight");
        Should.Throw<WiscaException>(() => Decoder.Create(Config(Gemma), 1, new InitializationOptions { StandardDeviation = -1 }))
            .Message.ShouldBe("a standard deviation of -1, expected a number from 0");
    }

    private static bool Same(Tensor a, Tensor b) => a.eq(b).all().item<bool>();

    private static DecoderConfig Config(string json) => DecoderConfig.From(ModelConfig.Parse(json));
}
