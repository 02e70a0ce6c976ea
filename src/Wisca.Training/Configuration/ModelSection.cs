using System.Text.Json.Nodes;
using Wisca.Settings;

namespace Wisca.Training.Configuration;

/// <summary>The model to train: one that is continued, or a new one.</summary>
public sealed record ModelSection : ISettingsSection
{
    /// <summary>
    /// A model folder (or a checkpoint of a run) whose weights are continued. The optimizer starts anew; --resume continues a run.
    /// </summary>
    [Setting("A model folder (or a checkpoint of a run) whose weights are continued. The optimizer starts anew; --resume continues a run.")]
    public string? From { get; init; }

    /// <summary>
    /// A new model: a Hugging Face config.json, or its content as a mapping. vocab_size, bos_token_id and eos_token_id may be left out:
    /// they come from the tokenizer. With neither from nor config: a Llama with grouped queries of about a million parameters.
    /// </summary>
    [Setting(
        "A new model: a Hugging Face config.json, or its content as a mapping. vocab_size, bos_token_id and eos_token_id may be left out: "
        + "they come from the tokenizer. With neither from nor config: a Llama with grouped queries of about a million parameters.")]
    public FileOrMapping? Config { get; init; }

    /// <summary>How the weights of a new model are drawn.</summary>
    [Setting("How the weights of a new model are drawn.")]
    public InitializationSection Initialization { get; init; } = new();

    /// <inheritdoc/>
    public object Complete(GivenSettings given)
    {
        ArgumentNullException.ThrowIfNull(given);
        int decided = given.Decide("config", Config is not null, "from", From is not null);
        var section = this with { Config = decided < 0 ? null : Config, From = decided > 0 ? null : From };
        return section.From is null ? section : section with
        {
            Initialization = section.Initialization with
            {
                StandardDeviation = Drawn("initialization.standard_deviation", Initialization.StandardDeviation),
                ResidualScaling = Drawn("initialization.residual_scaling", Initialization.ResidualScaling),
            },
        };

        // What was said of drawing weights goes where a later layer continues a model instead.
        T? Drawn<T>(string key, T? value)
        {
            if (value is null || given.Layer("from") > given.Layer(key)) return default;
            given.Contradict([key, "from"], "given for a model that is continued, expected none: its weights are not drawn");
            return value;
        }
    }

    /// <summary>The content of config.json of the model that is trained where nothing is said:
    /// 0.92 million parameters with a vocabulary of 2048.</summary>
    public static JsonObject DefaultConfig() => new()
    {
        ["model_type"] = "llama",
        ["hidden_size"] = 128,
        ["intermediate_size"] = 352,
        ["num_hidden_layers"] = 4,
        ["num_attention_heads"] = 8,
        ["num_key_value_heads"] = 2,
        ["max_position_embeddings"] = 512,
        ["rms_norm_eps"] = 1e-5,
        ["rope_theta"] = 10000.0,
        ["hidden_act"] = "silu",
        ["initializer_range"] = 0.02,
        ["tie_word_embeddings"] = true,
    };
}
