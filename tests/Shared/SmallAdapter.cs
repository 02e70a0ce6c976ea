using System.Text.Json.Nodes;

namespace Wisca.Tests;

/// <summary>A random adapter for a model of tests, written without the code under test.</summary>
internal sealed record SmallAdapter
{
    public string Dtype { get; init; } = "F32";

    public int Rank { get; init; } = 3;

    public int Alpha { get; init; } = 6;

    public bool Dora { get; init; }

    public bool RankStabilized { get; init; }

    public double DeviationOfB { get; init; } = 0.02;

    public int Seed { get; init; } = 5;

    /// <summary>Module, outputs and inputs.</summary>
    public required IReadOnlyList<(string Name, int Outputs, int Inputs)> Modules { get; init; }

    /// <summary>Tensors that are stored whole.</summary>
    public IReadOnlyList<TestTensor> Saved { get; init; } = [];

    /// <summary>Changes of the configuration.</summary>
    public Action<JsonObject> Edit { get; init; } = _ => { };

    /// <summary>Every attention projection of a small llama.</summary>
    public static SmallAdapter Of(SmallLlama llama) =>
        new()
        {
            Modules =
            [
                .. from layer in Enumerable.Range(0, llama.Layers)
                from projection in (string[])["q", "k", "v", "o"]
                let channels = (projection is "k" or "v" ? llama.KvHeads : llama.Heads) * llama.HeadDim
                select (
                    SmallLlama.Weight(layer, projection)[..^".weight".Length], projection == "o" ? llama.Hidden : channels,
                    projection == "o" ? channels : llama.Hidden),
            ],
        };

    public JsonObject Config()
    {
        var json = new JsonObject
        {
            ["peft_type"] = "LORA",
            ["r"] = Rank,
            ["lora_alpha"] = Alpha,
            ["target_modules"] = new JsonArray([
                .. Modules.Select(module => module.Name[(module.Name.LastIndexOf('.') + 1)..]).Distinct().Select(name => (JsonNode?)name),
            ]),
            ["use_dora"] = Dora,
            ["use_rslora"] = RankStabilized,
            ["base_model_name_or_path"] = "tests/small",
            ["auto_mapping"] = new JsonObject { ["kept"] = true },
        };
        Edit(json);
        return json;
    }

    public List<TestTensor> Tensors()
    {
        var random = new Random(Seed);
        var tensors = new List<TestTensor>();
        foreach (var (name, outputs, inputs) in Modules)
        {
            Add($"{name}.lora_A.weight", [Rank, inputs], 0.3, 0);
            Add($"{name}.lora_B.weight", [outputs, Rank], DeviationOfB, 0);
            if (Dora) Add($"{name}.lora_magnitude_vector", [outputs], 0.1, 1);
        }

        return [.. tensors, .. Saved];

        void Add(string name, long[] shape, double deviation, double mean) =>
            tensors.Add(
                new TestTensor(
                    "base_model.model." + name,
                    Dtype,
                    shape,
                    ReferenceFloat.Bytes(
                        Dtype,
                        Enumerable
                            .Range(0, (int)shape.Aggregate(1L, (a, b) => a * b))
                            .Select(_ => mean + (deviation * SmallLlama.Normal(random))))));
    }

    public void Write(string folder) => Write(folder, Tensors());

    public void Write(string folder, IEnumerable<TestTensor> tensors)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "adapter_config.json"), Config().ToJsonString());
        File.WriteAllBytes(
            Path.Combine(folder, "adapter_model.safetensors"),
            TestCheckpoint.File(tensors, new JsonObject { ["format"] = "pt" }));
    }
}
