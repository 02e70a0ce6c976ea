using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Training;

/// <summary>A training run of a tiny model on built-in stories, for processes of their own.</summary>
internal static class TinyRun
{
    public const string Mixtral = ", num_local_experts: 3, num_experts_per_tok: 2, router_aux_loss_coef: 0.1";

    /// <summary>Writes a configuration file; further settings are YAML lines and win over these.</summary>
    public static string Write(TemporaryFolder folder, int steps, string modelType = "llama", string model = "", string further = "")
    {
        File.WriteAllText(
            folder["run.yaml"],
            $$"""
            output: '{{folder["run"]}}'
            threads: 1
            batch_size: 2
            steps: {{steps}}
            model:
              config: {model_type: {{modelType}}, hidden_size: 32, intermediate_size: 48, num_hidden_layers: 2,
                num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 64{{model}} }
            tokenizer: {source: bytes}
            data: {stories: 30, sequence_length: 32, held_out: 0.1, cache: '{{folder["cache"]}}'}
            schedule: {warmup: 2}
            evaluation: {every: 4, tokens: 256, at_start: false, samples: {every: 0} }
            logging: {every: 1, tensorboard: false}
            {{further}}
            """);
        return folder["run.yaml"];
    }

    /// <summary>Everything in a checkpoint but what a clock measured: a digest of each file.</summary>
    public static string[] Contents(string checkpoint) =>
    [
        .. Directory
            .EnumerateFiles(checkpoint, "*", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)
            .Where(path => Path.GetFileName(path) != "state.json")
            .Select(path => $"{Path.GetRelativePath(checkpoint, path)} {Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)))}"),
        State(checkpoint),
    ];

    /// <summary>The lines of metrics.jsonl after a step, without what a clock measured.</summary>
    public static string[] Metrics(string run, int after = -1) =>
        [
            .. File.ReadAllLines(Path.Combine(run, "metrics.jsonl"))
                .Select(line => Timeless(JsonNode.Parse(line)!.AsObject()))
                .Where(values => (int)values["step"]! > after)
                .Select(values => values.ToJsonString()),
        ];

    private static string State(string checkpoint)
    {
        var state = JsonNode.Parse(File.ReadAllText(Path.Combine(checkpoint, "training", "state.json")))!.AsObject();
        foreach (string name in (string[])["seconds", "metrics_position", "pending"]) state.Remove(name).ShouldBeTrue(name);
        return state.ToJsonString();
    }

    private static JsonObject Timeless(JsonObject values)
    {
        foreach (string name in values.Select(entry => entry.Key).Where(key => key.StartsWith("time", StringComparison.Ordinal)).ToList())
            values.Remove(name);
        return values;
    }
}
