using System.Text.Json.Nodes;
using Wisca.Adapters;
using Wisca.Checkpoints;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Lora;
using Wisca.Torch.Models;

namespace Wisca.Torch.Tests.Lora;

/// <summary>
/// Adapters of more than projections, put together by hand: the model that they are attached to and the one that they are merged into
/// compute the same, by two ways through the code, and not what the base computes.
/// </summary>
public sealed class AdapterKindsTests : IDisposable
{
    private const int Hidden = 16, Rank = 2;
    private readonly TemporaryFolder _folder = new();
    private readonly Random _random = new(7);
    private readonly List<TestTensor> _tensors = [];
    private readonly List<string> _targets = [];

    public static TheoryData<string, string> Kinds => new()
    {
        { "llama", "embedding" },
        { "llama", "embedding with DoRA" },
        { "llama", "head" },
        { "llama", "embedding and head" },
        { "llama", "embedding for both" },
        { "llama", "tokens" },
        { "llama", "tokens of each" },
        { "llama", "bias of B" },
        { "llama", "stored head" },
        { "qwen2_moe", "embedding" },
        { "qwen2_moe", "experts" },
        { "qwen2_moe", "router" },
        { "mixtral", "experts" },
        { "gpt2", "positions" },
        { "gpt2", "embedding with DoRA" },
        { "gpt_neox", "head" },
        { "gemma3_text", "embedding" },
    };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Merged_Kinds_ComputeWhatIsComputedUnmerged(string modelType, string kind)
    {
        using (var original = TinyFamilies.Create(modelType))
            original.Save(_folder["m"], new SaveOptions { Dtype = Dtype.F64 });
        using var checkpoint = Checkpoint.Open(_folder["m"]);
        var config = new JsonObject();
        Fill(checkpoint, modelType, kind, config);
        new SmallAdapter
        {
            Modules = [],
            Rank = Rank,
            Alpha = 3,
            Edit = json =>
            {
                json["target_modules"] = new JsonArray([.. _targets.Select(name => (JsonNode?)name)]);
                foreach (var (key, value) in config) json[key] = value?.DeepClone();
            },
        }.Write(_folder["a"], _tensors);
        using var adapter = Adapter.Open(_folder["a"]);
        var binding = adapter.Bind(checkpoint);
        Merger.Merge(binding, _folder["out"]);
        using var merged = Checkpoint.Open(_folder["out"]);
        using var decoder = Decoder.Load(checkpoint, ComputePrecision.F64);
        using var other = Decoder.Load(merged, ComputePrecision.F64);
        double[] before = LoraRun.Logits(decoder), expected = LoraRun.Logits(other);
        double largest = before.Max(Math.Abs);
        LoraRun.Largest(before, expected).ShouldBeGreaterThan(1e-3 * largest);
        using (var lora = LoraModel.Load(decoder, binding))
        {
            LoraRun.Largest(LoraRun.Logits(decoder), expected).ShouldBeLessThan(1e-10 * largest);
            string message = Should.Throw<WiscaException>(() => lora.Save(_folder["saved"])).Message;
            message.ShouldContain("and such a one is not saved here");
        }

        if (kind != "stored head") LoraRun.Logits(decoder).ShouldBe(before);
    }

    private void Fill(Checkpoint checkpoint, string modelType, string kind, JsonObject config)
    {
        string root = modelType switch { "gpt2" => "transformer.", "gpt_neox" => "gpt_neox.", _ => "model." };
        string embedding = root + (modelType switch { "gpt2" => "wte", "gpt_neox" => "embed_in", _ => "embed_tokens" });
        string head = "lm_head";
        switch (kind)
        {
            case "embedding" or "embedding with DoRA" or "embedding for both":
                Table(embedding, TinyFamilies.Vocabulary);
                config["use_dora"] = kind == "embedding with DoRA";
                config["ensure_weight_tying"] = kind == "embedding for both";
                if (kind == "embedding with DoRA") Add(embedding + ".lora_magnitude_vector", 1, Hidden);
                break;
            case "embedding and head":
                Table(embedding, TinyFamilies.Vocabulary);
                Projection(head, TinyFamilies.Vocabulary, Hidden);
                break;
            case "head":
                Projection(head, TinyFamilies.Vocabulary, Hidden);
                break;
            case "positions":
                Table(root + "wpe", 32);
                break;
            case "tokens":
                Add(embedding + ".token_adapter.trainable_tokens_delta", 1, 3, Hidden);
                config["trainable_token_indices"] = new JsonArray(0, 7, 18);
                break;
            case "tokens of each":
                Add(embedding + ".token_adapter.trainable_tokens_delta", 1, 2, Hidden);
                Add(head + ".token_adapter.trainable_tokens_delta", 1, 1, Hidden);
                config["trainable_token_indices"] = new JsonObject { ["embed_tokens"] = new JsonArray(3, 1), [head] = new JsonArray(4) };
                break;
            case "bias of B":
                foreach (int layer in (int[])[0, 1])
                {
                    string query = $"model.layers.{layer}.self_attn.q_proj";
                    int outputs = (int)checkpoint.Find(query + ".weight")!.Info.Shape[0];
                    Projection(query, outputs, Hidden);
                    Add(query + ".lora_B.bias", 1, outputs);
                }

                config["lora_bias"] = true;
                break;
            case "stored head":
                Projection("model.layers.0.self_attn.o_proj", Hidden, Hidden);
                Projection("model.layers.1.self_attn.o_proj", Hidden, Hidden);
                Add(head + ".weight", 1, TinyFamilies.Vocabulary, Hidden);
                config["modules_to_save"] = new JsonArray(head);
                break;
            case "router":
                Projection("model.layers.0.mlp.gate", 4, Hidden);
                _targets.Clear();
                config["target_parameters"] = new JsonArray("mlp.gate.weight");
                break;
            default:
                Experts(modelType, checkpoint, config);
                break;
        }
    }

    /// <summary>Factors of stacks whose rank differs, nested as PEFT nests them: the first parameter innermost.</summary>
    private void Experts(string modelType, Checkpoint checkpoint, JsonObject config)
    {
        int experts = modelType == "mixtral" ? 3 : 4;
        string[] layers = modelType == "mixtral" ? ["0", "1"] : ["0"];
        string down = modelType == "mixtral"
            ? "model.layers.0.block_sparse_moe.experts.0.w2.weight"
            : "model.layers.0.mlp.experts.0.down_proj.weight";
        int inner = (int)checkpoint.Find(down)!.Info.Shape[1];
        foreach (string layer in layers)
        {
            string module = $"model.layers.{layer}.mlp.experts";
            Add(module + ".base_layer.lora_A.weight", 1, 3 * experts, Hidden);
            Add(module + ".base_layer.lora_B.weight", 1, 2 * inner, 3 * experts);
            Add(module + ".lora_A.weight", 1, Rank * experts, inner);
            Add(module + ".lora_B.weight", 1, Hidden, Rank * experts);
        }

        config["target_parameters"] = new JsonArray("mlp.experts.down_proj", "mlp.experts.gate_up_proj");
        config["rank_pattern"] = new JsonObject { ["experts.gate_up_proj"] = 3 };
    }

    private void Table(string module, int rows)
    {
        _targets.Add(module[(module.LastIndexOf('.') + 1)..]);
        Add(module + ".lora_embedding_A", 1, Rank, rows);
        Add(module + ".lora_embedding_B", 1, Hidden, Rank);
    }

    private void Projection(string module, int outputs, int inputs)
    {
        if (!_targets.Contains(module[(module.LastIndexOf('.') + 1)..])) _targets.Add(module[(module.LastIndexOf('.') + 1)..]);
        Add(module + ".lora_A.weight", 1, Rank, inputs);
        Add(module + ".lora_B.weight", 1, outputs, Rank);
    }

    private void Add(string name, double deviation, params long[] shape)
    {
        int count = (int)shape.Aggregate(1L, (a, b) => a * b);
        var values = Enumerable.Range(0, count).Select(_ => 0.3 * deviation * SmallLlama.Normal(_random));
        _tensors.Add(new TestTensor("base_model.model." + name, "F64", shape, ReferenceFloat.Bytes("F64", values)));
    }
}
