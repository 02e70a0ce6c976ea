using System.Collections.Immutable;
using Wisca.Files;

namespace Wisca.Checkpoints;

/// <summary>
/// What else lies in a model folder: files that belong to the model whatever its gauge (configuration, tokenizer, licence), and
/// files that hold the old weights in another form or the state of an optimizer, which would no longer match rescaled weights.
/// </summary>
/// <param name="Copied">Relative paths of the files that go along.</param>
/// <param name="LeftOut">Relative paths of the files that do not, each with the reason.</param>
public sealed record SideFiles(ImmutableArray<string> Copied, ImmutableArray<(string Path, string Reason)> LeftOut)
{
    // Rescaling.Ledger's, whose room needs this one.
    internal const string LedgerName = "wisca.json";

    /// <summary>Where a checkpoint of wisca train keeps what resuming needs.</summary>
    public const string TrainingFolder = "training";

    /// <summary>The file in it by which such a folder is known.</summary>
    public const string TrainingStateName = "state.json";

    private static readonly string[] OptimizerPrefixes =
    [
        "optimizer", "scheduler", "rng_state", "global_step", "zero_pp_rank", "mp_rank", "scaler",
    ];
    private static readonly string[] WeightPrefixes = ["pytorch_model", "consolidated", "tf_model", "flax_model", "rust_model"];
    private static readonly string[] WeightExtensions =
    [
        ".safetensors", ".gguf", ".ggml", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".ot", ".onnx", ".onnx_data", ".tflite", ".mlmodel",
        ".npz", ".distcp",
    ];

    /// <summary>Sorts the files of a checkpoint's folder, its subfolders included.</summary>
    public static SideFiles Of(Checkpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        return Of((IWeightFolder)checkpoint);
    }

    internal static SideFiles Of(IWeightFolder checkpoint)
    {
        var weights = checkpoint.Shards.Select(shard => Path.GetFileName(shard.FullPath)).ToHashSet(StringComparer.Ordinal);
        var copied = ImmutableArray.CreateBuilder<string>();
        var leftOut = ImmutableArray.CreateBuilder<(string, string)>();
        Sort(new DirectoryInfo(checkpoint.Folder), "");
        return new SideFiles(copied.ToImmutable(), leftOut.ToImmutable());

        void Sort(DirectoryInfo folder, string prefix)
        {
            foreach (var entry in folder.EnumerateFileSystemInfos().OrderBy(entry => entry.Name, StringComparer.Ordinal))
            {
                string path = prefix + entry.Name;
                if (prefix.Length == 0 && (weights.Contains(entry.Name) || entry.Name == LedgerName)) continue;
                if (entry is DirectoryInfo directory)
                {
                    if (entry.LinkTarget is not null) leftOut.Add((path + "/", "a link to another folder"));
                    else if (entry.Name.StartsWith('.')) leftOut.Add((path + "/", "a hidden folder"));
                    else if (path == TrainingFolder && File.Exists(Path.Combine(entry.FullName, TrainingStateName)))
                        leftOut.Add((path + "/", "the state of a training, which would not match the rescaled weights"));
                    else if (IsModel(directory)) leftOut.Add((path + "/", "a model of its own; rescale it by itself"));
                    else Sort(directory, path + "/");
                }
                else if (ReasonToLeaveOut(entry.Name, prefix.Length == 0 && !checkpoint.IsSharded) is { } reason)
                    leftOut.Add((path, reason));
                else if (FileFailure.IsBrokenLink(entry.FullName)) leftOut.Add((path, "a link to nothing"));
                else copied.Add(path);
            }
        }
    }

    private static bool IsModel(DirectoryInfo folder) =>
        (File.Exists(Path.Combine(folder.FullName, "config.json")) || File.Exists(Path.Combine(folder.FullName, "adapter_config.json")))
        && folder.EnumerateFiles("*.safetensors").Any();

    private static string? ReasonToLeaveOut(string name, bool besideSingleFile)
    {
        if (OptimizerPrefixes.Any(prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)) && HasDataExtension(name))
            return "optimizer or training state, which would not match the rescaled weights";
        if (
            name is "model.bin" or "adapter_model.bin"
            || WeightPrefixes.Any(prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
            || WeightExtensions.Contains(Path.GetExtension(name), StringComparer.OrdinalIgnoreCase))
            return "weights in another file, which would not match the rescaled ones";
        if (name == Checkpoint.IndexName && besideSingleFile) return $"an index that {Checkpoint.WeightsName} takes precedence over";
        return null;
    }

    private static bool HasDataExtension(string name) =>
        Path.GetExtension(name).ToLowerInvariant() is "" or ".bin" or ".pt" or ".pth" or ".safetensors" or ".json" or ".npz";
}
