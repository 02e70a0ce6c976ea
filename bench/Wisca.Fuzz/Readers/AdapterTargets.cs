using System.Text;
using System.Text.Json.Nodes;
using Wisca.Adapters;
using Wisca.Checkpoints;
using Wisca.Tests;
using Wisca.Torch.Generation;

namespace Wisca.Fuzz.Readers;

/// <summary>Adapters, bound to a small base, and how a model is to be sampled.</summary>
internal sealed class AdapterTargets : ITargets
{
    private const int PrefixLength = 8;

    private const string Generation = """
        {"bos_token_id":1,"eos_token_id":[2,3],"do_sample":true,"temperature":0.7,"top_k":20,"top_p":0.9,"min_p":0.01,
        "repetition_penalty":1.1,"max_new_tokens":20,"max_length":64,"num_beams":1,"suppress_tokens":[4],"transformers_version":"5.0"}
        """;

    private static readonly Action<JsonObject>[] Edits =
    [
        _ => { },
        json =>
        {
            json["rank_pattern"] = new JsonObject { ["q_proj"] = 3 };
            json["alpha_pattern"] = new JsonObject { ["layers.0.self_attn.k_proj"] = 2.5 };
            json["layers_to_transform"] = new JsonArray(0);
            json["layers_pattern"] = "layers";
            json["modules_to_save"] = new JsonArray();
            json["bias"] = "none";
            json["init_lora_weights"] = true;
            json["lora_bias"] = false;
            json["fan_in_fan_out"] = false;
            json["exclude_modules"] = "nothing";
            json["trainable_token_indices"] = null;
            json["target_parameters"] = new JsonArray();
        },
        json => json["target_modules"] = @".*\.self_attn\.(q|k|v|o)_proj",
        json => json["target_modules"] = "all-linear",
    ];

    private readonly TemporaryFolder _folder = new();
    private readonly Checkpoint _base;

    public AdapterTargets()
    {
        var model = new SmallLlama { Layers = 1, Hidden = 4, HeadDim = 4, Heads = 2, KvHeads = 1 };
        model.Write(_folder["base"]);
        model.Write(_folder["generation"]);
        _base = Checkpoint.Open(_folder["base"]);
        string[] configs = [.. Edits.Select(edit => (SmallAdapter.Of(model) with { Edit = edit }).Config().ToJsonString())];
        SmallAdapter.Of(model).Write(_folder["config"]);
        SmallAdapter.Of(model).Write(_folder["weights"]);
        byte[] file = File.ReadAllBytes(_folder["weights", Adapter.WeightsName]);
        int length = (int)BitConverter.ToInt64(file);
        string header = Encoding.UTF8.GetString(file.AsSpan(PrefixLength, length));
        byte[] data = file[(PrefixLength + length)..];
        All =
        [
            new Target("adapter", 10, random => Mutator.Json(random.GetItems(configs, 1)[0], random), ReadConfig, null),
            new Target("adapter-weights", 6, random => TestCheckpoint.File(Mutator.Json(header, random), data), ReadWeights, null)
            {
                JsonOf = CheckpointTargets.HeaderOfFile,
            },
            new Target("generation", 5, random => Mutator.Json(Generation, random), ReadGeneration, null),
        ];
    }

    public IReadOnlyList<Target> All { get; }

    public void Dispose()
    {
        _base.Dispose();
        _folder.Dispose();
    }

    private void ReadConfig(byte[] input)
    {
        File.WriteAllBytes(_folder["config", AdapterConfig.FileName], input);
        Bind("config");
    }

    private void ReadWeights(byte[] input)
    {
        File.WriteAllBytes(_folder["weights", Adapter.WeightsName], input);
        Bind("weights");
    }

    private void Bind(string folder)
    {
        using var adapter = Adapter.Open(_folder[folder]);
        adapter.Bind(_base);
    }

    private void ReadGeneration(byte[] input)
    {
        File.WriteAllBytes(_folder["generation", GenerationConfig.FileName], input);
        using var checkpoint = Checkpoint.Open(_folder["generation"]);
        GenerationConfig.Load(checkpoint);
    }
}
