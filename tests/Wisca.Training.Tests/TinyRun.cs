using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Wisca.Settings;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Training.Checkpointing;
using Wisca.Training.Configuration;

namespace Wisca.Training.Tests;

/// <summary>Training runs that take a second: a tiny model on a few built-in stories, bytes as tokens.</summary>
internal static class TinyRun
{
    /// <summary>A run of six steps without transitions, evaluations but the last, and checkpoints but the last.</summary>
    public static TrainingConfig Config(TemporaryFolder folder, string modelType = "llama") => new()
    {
        Output = folder["run"],
        Threads = 1,
        BatchSize = 2,
        Steps = 6,
        Model = new() { Config = new FileOrMapping(Model(modelType)) },
        Tokenizer = new() { Source = TokenizerSource.Bytes },
        Data = new() { Stories = 40, HeldOut = 0.1, SequenceLength = 32, Cache = folder["cache"] },
        Schedule = new() { Name = ScheduleKind.Constant, Warmup = 0 },
        Wisca = new() { QueryKey = null, ValueOutput = null },
        Evaluation = new() { Every = 0, AtStart = false, Tokens = 256, Samples = new() { Every = 0 } },
        Checkpoints = new() { Every = 0 },
        Logging = new() { Every = 1, Tensorboard = false },
    };

    /// <summary>The config.json of a tiny model of a family.</summary>
    public static JsonObject Model(string modelType)
    {
        var config = JsonNode.Parse(TinyFamilies.Config(modelType))!.AsObject();
        config.Remove("vocab_size");
        config[modelType == "gpt2" ? "n_positions" : "max_position_embeddings"] = 64;
        config["initializer_range"] = 0.1;
        return config;
    }

    /// <summary>Trains, and returns what was told.</summary>
    public static TrainingRecorder Train(TrainingConfig config, ResumeMode? resume = null, CancellationToken stop = default) =>
        Train(config, new TrainingRecorder(), resume, stop);

    public static TrainingRecorder Train(
        TrainingConfig config, TrainingRecorder recorder, ResumeMode? resume = null, CancellationToken stop = default)
    {
        using var trainer = Trainer.Prepare(config, resume ?? ResumeMode.Auto, recorder, CancellationToken.None);
        trainer.Run(stop);
        return recorder;
    }

    /// <summary>A checkpoint's folder.</summary>
    public static string Checkpoint(TrainingConfig config, long step) => RunFolder.CheckpointPath(config.Output, step);

    /// <summary>A digest of everything in a checkpoint but the clock's part.</summary>
    public static string[] Contents(string checkpoint) =>
    [
        .. Directory
            .EnumerateFiles(checkpoint, "*", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)
            .Where(path => Path.GetFileName(path) != "state.json")
            .Select(path => $"{Path.GetRelativePath(checkpoint, path)} {Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)))}"),
    ];

    /// <summary>The lines of metrics.jsonl without what a clock measured,
    /// and without the first, which only a run has that began there.</summary>
    public static string[] Metrics(TrainingConfig config) =>
    [
        .. File.ReadAllLines(Path.Combine(config.Output, "metrics.jsonl"))
            .Where(line => !line.Contains("model/digest", StringComparison.Ordinal))
            .Select(line =>
            {
                var values = JsonNode.Parse(line)!.AsObject();
                foreach (
                    string name in values
                        .Select(entry => entry.Key)
                        .Where(key => key.StartsWith("time", StringComparison.Ordinal))
                        .ToList())
                    values.Remove(name);
                return values.ToJsonString();
            }),
    ];
}
