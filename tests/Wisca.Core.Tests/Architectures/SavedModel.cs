using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Checkpoints;
using Wisca.Safetensors;

namespace Wisca.Core.Tests.Architectures;

/// <summary>A model as transformers saves it, without its values: see Fixtures/tensors.py.</summary>
internal sealed record SavedModel(string Name, ModelConfig Config, IReadOnlyList<TensorInfo> Tensors)
{
    public static IReadOnlyList<SavedModel> All { get; } = ReadAll();

    /// <summary>The rows' names, as theory data.</summary>
    public static TheoryData<string> Names => [.. All.Select(model => model.Name)];

    /// <summary>The configuration as text.</summary>
    public string ConfigJson { get; private init; } = "";

    /// <summary>The configuration without a word on whether the output projection is tied.</summary>
    public ModelConfig WithoutTying { get; private init; } = Config;

    /// <summary>The configuration without something that transformers always writes, and people's files do not.</summary>
    public IReadOnlyList<ModelConfig> Terse { get; private init; } = [];

    private static List<SavedModel> ReadAll()
    {
        string path = Path.Combine(AppContext.BaseDirectory, "Architectures", "Fixtures", "tensors.json");
        var rows = JsonNode.Parse(File.ReadAllBytes(path))!.AsArray();
        return
        [
            .. rows.Select((row, index) => new SavedModel(
                $"{index} {row!["config"]!["model_type"]}",
                ModelConfig.Parse(row["config"]!.ToJsonString()),
                [
                    .. row["tensors"]!.AsObject().Select(tensor =>
                        new TensorInfo(tensor.Key, Dtype.F32, [.. tensor.Value!.Deserialize<long[]>()!], 0, 0)),
                ])
                {
                    ConfigJson = row["config"]!.ToJsonString(),
                    WithoutTying = Without(row["config"]!, "tie_word_embeddings"),
                    Terse =
                    [
                        Without(row["config"]!, "head_dim"),
                        Without(
                            row["config"]!, "afn", "mlp_hidden_act", "hidden_act", "activation_function", "rope_parameters"),
                        Without(row["config"]!, "num_key_value_heads"),
                    ],
                }),
        ];
    }

    private static ModelConfig Without(JsonNode config, params string[] keys)
    {
        var copy = config.DeepClone().AsObject();
        foreach (string key in keys) copy.Remove(key);
        return ModelConfig.Parse(copy.ToJsonString());
    }
}
