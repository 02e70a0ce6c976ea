using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Checkpoints;
using Wisca.Rescaling;

namespace Wisca.Adapters;

/// <summary>The files beside the weights that a merge changes: the configuration of a model that is of another kind now, and the index of
/// shards that hold more.</summary>
internal static class MergedConfig
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    // PEFT's names of tasks, and how transformers ends the names of the classes for them.
    private static readonly Dictionary<string, string> Classes = new(StringComparer.Ordinal)
    {
        ["SEQ_CLS"] = "ForSequenceClassification",
        ["TOKEN_CLS"] = "ForTokenClassification",
        ["QUESTION_ANS"] = "ForQuestionAnswering",
    };

    private static readonly string[] Endings = ["ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "Model"];

    /// <summary>Refuses heads that make no model that is known.</summary>
    /// <exception cref="WiscaException">There are some.</exception>
    public static void Check(AdapterBinding binding)
    {
        if (binding.NewHeads is not [var (tensor, name), ..] || ClassOf(binding) is not null) return;
        throw new WiscaException(
            $"the adapter stores '{tensor.Info.Name}', and the base has no {name}: what model the two make is not known (task_type is "
            + $"{binding.Adapter.Config.TaskType ?? "missing"} in {binding.Adapter.Config.File}, architectures "
            + $"{binding.Checkpoint.Config.Find("architectures")?.GetRawText() ?? "missing"} in the base's config.json)",
            $"state them (task_type {string.Join(", ", Classes.Keys)}), or give a base that has the head");
    }

    /// <summary>The contents of files that are not copied as they are.</summary>
    public static Dictionary<string, byte[]>? Rewritten(AdapterBinding binding, IReadOnlyList<AppendedTensor> appended)
    {
        var checkpoint = binding.Checkpoint;
        var files = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        if (binding.UntiedHead is not null || !binding.NewHeads.IsEmpty)
        {
            var config = JsonObject.Create(checkpoint.Config.Root.Clone())!;
            if (binding.UntiedHead is not null) TiedHead.Untie(config);
            if (!binding.NewHeads.IsEmpty) Classify(binding, config);
            files.Add(((IWeightFolder)checkpoint).ConfigName, Bytes(config));
        }

        if (appended.Count > 0 && checkpoint.IsSharded)
        {
            var index = JsonNode.Parse(File.ReadAllBytes(Path.Combine(checkpoint.Folder, Checkpoint.IndexName)))!.AsObject();
            foreach (var tensor in appended)
                index["weight_map"]![tensor.Name] = Path.GetFileName(checkpoint.Shards[^1].FullPath);
            if (index["metadata"] is JsonObject metadata && metadata["total_size"] is JsonValue size && size.TryGetValue(out long total))
                metadata["total_size"] = total + appended.Sum(tensor => tensor.Model.Info.ByteLength);
            files.Add(Checkpoint.IndexName, Bytes(index));
        }

        return files.Count > 0 ? files : null;
    }

    /// <summary>The class of transformers for a model with the adapter's head; null where it is not known.</summary>
    public static string? ClassOf(AdapterBinding binding)
    {
        if (binding.Adapter.Config.TaskType is not { } task || Classes.GetValueOrDefault(task) is not { } ending) return null;
        if (
            binding.Checkpoint.Config.Find("architectures") is not { ValueKind: JsonValueKind.Array } architectures
            || architectures.EnumerateArray().FirstOrDefault() is not { ValueKind: JsonValueKind.String } first
            || first.GetString() is not { } name)
            return null;
        if (name.EndsWith(ending, StringComparison.Ordinal)) return name;
        return Endings.FirstOrDefault(end => name.EndsWith(end, StringComparison.Ordinal)) is { } old ? name[..^old.Length] + ending : null;
    }

    private static void Classify(AdapterBinding binding, JsonObject config)
    {
        config["architectures"] = new JsonArray(ClassOf(binding));
        var last = binding.NewHeads[^1].Tensor.Info;
        int labels = (int)last.Shape[0];
        if (binding.Adapter.Config.TaskType == "QUESTION_ANS") return;

        // transformers has no number of labels but the length of these.
        if (config["id2label"] is JsonObject known && known.Count == labels) return;
        var names = Enumerable.Range(0, labels).Select(label => (Key: $"{label}", Name: $"LABEL_{label}", Label: label)).ToList();
        config["id2label"] = new JsonObject(names.Select(entry => KeyValuePair.Create(entry.Key, (JsonNode?)entry.Name)));
        config["label2id"] = new JsonObject(names.Select(entry => KeyValuePair.Create(entry.Name, (JsonNode?)entry.Label)));
        config.Remove("num_labels");
    }

    private static byte[] Bytes(JsonObject json) => System.Text.Encoding.UTF8.GetBytes(json.ToJsonString(Indented) + "\n");
}
