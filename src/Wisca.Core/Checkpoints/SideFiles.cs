using System.Collections.Immutable;
using Wisca.Files;
using Wisca.Safetensors;

namespace Wisca.Checkpoints;

/// <summary>
/// What else lies in a model folder, sorted by what it depends on. Configuration, tokenizer, code and licence belong to the model whatever
/// its gauge, and so do parts with weights of their own (a value head, a projector, a pooling layer). The same weights in another form,
/// what was measured on them, and the state of an optimizer would no longer match changed weights.
/// </summary>
/// <param name="Copied">Relative paths of the files that go along.</param>
/// <param name="LeftOut">Relative paths of the files and whole folders (with a / at the end) that do not, each with the reason.</param>
/// <param name="Unknown">Those of the copied files that are large and of no known kind: whether they still match is not known.</param>
public sealed record SideFiles(
    ImmutableArray<string> Copied, ImmutableArray<(string Path, string Reason)> LeftOut, ImmutableArray<string> Unknown)
{
    // Rescaling.Ledger's, whose room needs this one.
    internal const string LedgerName = "wisca.json";

    // Rescaling.RotationFile's: part of the ledger, which takes them along.
    internal const string RotationPrefix = "wisca-rotation-";

    // Adapters.AdapterConfig's, likewise.
    internal const string AdapterConfigName = "adapter_config.json";

    /// <summary>Where a checkpoint of wisca train keeps what resuming needs.</summary>
    public const string TrainingFolder = "training";

    /// <summary>The file in it by which such a folder is known.</summary>
    public const string TrainingStateName = "state.json";

    private const string OtherForm = "weights in another form, which would no longer match";
    private const string Measured = "measured on the old weights, which would no longer match";
    private const string State = "optimizer or training state, which would no longer match";
    private const string AnAdapter = "an adapter beside the model's own weights, which would no longer match";
    private const string Special = "a pipe, a socket or a device, no file";
    private const string Checksum = "a checksum or signature of the old weights, which would no longer match";
    private const long Large = 1 << 20;

    private static readonly string[] StatePrefixes =
        ["optimizer", "scheduler", "rng_state", "global_step", "zero_pp_rank", "mp_rank", "scaler"];

    private static readonly string[] StateFolders = ["global_step", "optimizer", "pytorch_model_fsdp"];

    private static readonly string[] WeightPrefixes =
    [
        "pytorch_model", "consolidated", "tf_model", "flax_model", "rust_model", "openvino_model", "openvino_decoder", "ggml-", "ggml_",
        "model_state", "model_optimized",
    ];

    private static readonly string[] WeightExtensions =
    [
        ".gguf", ".ggml", ".llamafile", ".pt", ".pth", ".pt2", ".pte", ".ptl", ".ckpt", ".h5", ".hdf5", ".keras", ".msgpack", ".ot",
        ".onnx", ".onnx_data", ".ort", ".tflite", ".mlmodel", ".mnn", ".ncnn", ".npz", ".distcp", ".pdparams", ".pdiparams", ".pdmodel",
        ".engine", ".plan", ".trt", ".nemo", ".rten", ".dlc", ".rknn", ".torchscript", ".q4_0", ".q8_0",
    ];

    // Folders in which other programs keep a model of their own form, with all that belongs to it.
    private static readonly string[] FormFolders =
        ["openvino", "coreml", "onnx", "tflite", "mlx", "tensorrt", "trt_engines", "executorch", "ctranslate2", "ncnn", "gguf", "ggml"];

    private static readonly string[] MeasuredNames =
    [
        "kv_cache_scales", "kv_scales", "imatrix", "importance_matrix", "act_scales", "activation_scales", "smooth_scales", "awq_cache",
        "calibration.cache", "calib_cache", "measurement.json", "quant_log", "hidden_states.",
    ];

    // Parts that read the model's states, or whose states it reads: none of them sees attention weights.
    private static readonly string[] OwnParts =
    [
        "value_head", "v_head", "reward_head", "score", "classifier", "medusa", "mm_projector", "multi_modal_projector", "projector",
        "vision_tower", "vision_model", "vision_encoder", "visual", "image_encoder", "image_newline", "audio_encoder", "audio_tower",
        "speech_encoder", "vocoder", "training_args", "embedding_head", "sparse_linear", "colbert_linear",
    ];

    private static readonly string[] ChecksumPrefixes = ["checksum", "md5sum", "sha1sum", "sha256sum", "sha512sum", "b3sum"];

    private static readonly string[] ChecksumExtensions =
        [".md5", ".sha1", ".sha256", ".sha512", ".blake3", ".b3", ".md5sum", ".sha1sum", ".sha256sum", ".sha512sum", ".sig", ".asc"];

    private static readonly string[] KnownExtensions =
    [
        "", ".json", ".jsonl", ".txt", ".md", ".rst", ".model", ".vocab", ".merges", ".tiktoken", ".spm", ".bpe", ".py", ".jinja", ".yaml",
        ".yml", ".toml", ".cfg", ".ini", ".csv", ".tsv", ".html", ".css", ".js", ".ipynb", ".pdf", ".png", ".jpg", ".jpeg", ".gif", ".svg",
        ".webp", ".bmp", ".ico", ".mp3", ".wav", ".flac", ".ogg", ".mp4", ".webm", ".parquet", ".arrow", ".sh", ".log", ".license",
        ".gitattributes", ".gitignore",
    ];

    /// <summary>Sorts the files of a checkpoint's folder, its subfolders included.</summary>
    public static SideFiles Of(Checkpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        return Of((IWeightFolder)checkpoint);
    }

    internal static SideFiles Of(IWeightFolder checkpoint)
    {
        var sorter = new Sorter(checkpoint);
        sorter.Sort(new DirectoryInfo(checkpoint.Folder), "");
        return new SideFiles([.. sorter.Copied], [.. sorter.LeftOut], [.. sorter.Unknown]);
    }

    private sealed class Sorter(IWeightFolder checkpoint)
    {
        private readonly HashSet<string> _weights =
            checkpoint.Shards.Select(shard => Path.GetFileName(shard.FullPath)).ToHashSet(StringComparer.Ordinal);

        private bool IsAdapter => checkpoint.ConfigName == AdapterConfigName;

        public List<string> Copied { get; } = [];

        public List<(string Path, string Reason)> LeftOut { get; } = [];

        public List<string> Unknown { get; } = [];

        public void Sort(DirectoryInfo folder, string prefix)
        {
            var entries = folder.EnumerateFileSystemInfos().OrderBy(entry => entry.Name, StringComparer.Ordinal).ToList();

            // ONNX keeps large weights in files of any name beside the graph.
            bool besideGraph = prefix.Length > 0 && entries.Any(entry => HasExtension(entry.Name, ".onnx"));
            foreach (var entry in entries)
            {
                string path = prefix + entry.Name;
                if (prefix.Length == 0 && (_weights.Contains(entry.Name) || IsLedger(entry.Name))) continue;
                if (entry is DirectoryInfo directory) SortFolder(directory, path + "/");
                else if (PlainFile.IsSpecial(entry.FullName)) LeftOut.Add((path, Special));
                else if (ReasonToLeaveOut((FileInfo)entry, prefix.Length == 0) is { } reason) LeftOut.Add((path, reason));
                else if (FileFailure.IsBrokenLink(entry.FullName)) LeftOut.Add((path, "a link to nothing"));
                else if (besideGraph && !IsKnownKind(entry.Name)) LeftOut.Add((path, OtherForm));
                else
                {
                    Copied.Add(path);
                    if (!IsKnownKind(entry.Name) && IsLarge((FileInfo)entry)) Unknown.Add(path);
                }
            }
        }

        private void SortFolder(DirectoryInfo folder, string path)
        {
            string? reason =
                folder.LinkTarget is not null ? "a link to another folder"
                : folder.Name.StartsWith('.') ? "a hidden folder"
                : path == TrainingFolder + "/" && File.Exists(Path.Combine(folder.FullName, TrainingStateName)) ? State
                : IsOneOf(folder.Name, StateFolders) ? State
                : IsForm(folder) ? OtherForm
                : IsModel(folder) ? "a model of its own; rescale it by itself"
                : null;
            if (reason is not null)
            {
                LeftOut.Add((path, reason));
                return;
            }

            int copied = Copied.Count, left = LeftOut.Count;
            Sort(folder, path);

            // One line for a folder of which nothing goes along for one reason.
            if (Copied.Count > copied || LeftOut.Skip(left).Select(entry => entry.Reason).Distinct().ToList() is not [var only]) return;
            LeftOut.RemoveRange(left, LeftOut.Count - left);
            LeftOut.Add((path, only));
        }

        private string? ReasonToLeaveOut(FileInfo file, bool inRoot)
        {
            string name = file.Name;
            bool isAdapterFile = name is AdapterConfigName or "adapter_model.safetensors" or "adapter_model.bin";
            if (isAdapterFile && name != checkpoint.ConfigName)
                return !inRoot ? "part of an adapter of its own; move it by itself" : IsAdapter ? OtherForm : AnAdapter;
            if (
                inRoot && IsAdapter && Checkpoint.HoldsAdapterIn(checkpoint.Folder)
                && (name is "config.json" or Checkpoint.IndexName || (name.StartsWith("model", StringComparison.Ordinal) && HasExtension(
                    name,
                    ".safetensors"))))
                return "part of the model beside the adapter";
            if (IsOneOf(name, StatePrefixes) && HasDataExtension(name)) return State;
            if (
                MeasuredNames.Any(part => name.Contains(part, StringComparison.OrdinalIgnoreCase))
                && !HasExtension(name, ".py") && !HasExtension(name, ".md"))
                return Measured;
            if (IsChecksum(name, file.Directory!, inRoot)) return Checksum;
            if (HasExtension(name, ".safetensors") && !IsOneOf(name, WeightPrefixes)) return ReasonOfSafetensors(file, inRoot);
            if (IsOwnPart(name)) return null;
            if (
                name == "model.bin"
                || IsOneOf(name, WeightPrefixes)
                || name.EndsWith(".onnx.data", StringComparison.OrdinalIgnoreCase)
                || WeightExtensions.Contains(Path.GetExtension(name), StringComparer.OrdinalIgnoreCase))
                return OtherForm;
            if (name == Checkpoint.IndexName && inRoot && !checkpoint.IsSharded)
                return $"an index that {Checkpoint.WeightsName} takes precedence over";
            return null;
        }

        /// <summary>A file with tensors of the model is a copy of it; one with none of them is a part of its own.</summary>
        private string? ReasonOfSafetensors(FileInfo file, bool inRoot)
        {
            try
            {
                return SharedTensor(file) is { } shared ? $"it holds '{shared}' as the model does: {OtherForm}" : null;
            }
            catch (WiscaException)
            {
                // Only the name can say then.
                return IsOwnPart(file.Name) || (!inRoot && IsPartFolder(file.Directory!.Name))
                    ? null
                    : "no valid safetensors file, so whether it matches is not known";
            }
        }

        /// <summary>What the model has of a part that does not see its gauge, a score head beside itself, makes no copy of it.</summary>
        private string? SharedTensor(FileInfo file)
        {
            using var opened = SafetensorsFile.Open(file.FullName);
            return opened.Header.Tensors
                .FirstOrDefault(tensor =>
                    checkpoint.Find(tensor.Name) is not null && !tensor.Name.Split('.').Any(part => IsOneOf(part, OwnParts)))
                ?.Name;
        }

        /// <summary>True for what tells the bytes of weights, or of a folder. Those of a file that goes along still match.</summary>
        private bool IsChecksum(string name, DirectoryInfo folder, bool inRoot)
        {
            if (IsOneOf(name, ChecksumPrefixes)) return !HasExtension(name, ".py") && !HasExtension(name, ".md");
            if (!ChecksumExtensions.Contains(Path.GetExtension(name), StringComparer.OrdinalIgnoreCase)) return false;
            var of = new FileInfo(Path.Combine(folder.FullName, Path.GetFileNameWithoutExtension(name)));
            return !of.Exists || (inRoot && (_weights.Contains(of.Name) || IsLedger(of.Name))) || PlainFile.IsSpecial(of.FullName)
                || ReasonToLeaveOut(of, inRoot) is not null;
        }
    }

    private static bool IsLedger(string name) =>
        name == LedgerName || (name.StartsWith(RotationPrefix, StringComparison.Ordinal) && HasExtension(name, ".safetensors"));

    /// <summary>llama.cpp calls its file of a projector mmproj, in front of the model's name or behind it.</summary>
    private static bool IsOwnPart(string name) =>
        (IsOneOf(name, OwnParts) && !HasExtension(name, ".onnx"))
        || (HasExtension(name, ".gguf") && name.Contains("mmproj", StringComparison.OrdinalIgnoreCase));

    private static bool IsOneOf(string name, string[] prefixes) =>
        prefixes.Any(prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase));

    private static bool HasExtension(string name, string extension) => name.EndsWith(extension, StringComparison.OrdinalIgnoreCase);

    private static bool IsKnownKind(string name) => KnownExtensions.Contains(Path.GetExtension(name), StringComparer.OrdinalIgnoreCase)
        || HasExtension(name, ".safetensors") || IsOneOf(name, OwnParts) || IsOwnPart(name);

    private static bool IsLarge(FileInfo file) =>
        (file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target ? target.Length : file.Length) >= Large;

    /// <summary>True where another program keeps a model in a form of its own, with the configuration and tokenizer it reads.</summary>
    private static bool IsForm(DirectoryInfo folder) =>
        HasExtension(folder.Name, ".mlpackage") || HasExtension(folder.Name, ".mlmodelc")
        || (FormFolders.Contains(folder.Name, StringComparer.OrdinalIgnoreCase)
            && folder.EnumerateFiles("*", SearchOption.AllDirectories).Any(file => !IsKnownKind(file.Name)))
        || folder.EnumerateFiles("openvino_model.*").Any();

    /// <summary>True where a folder is a Transformer of its own. A part of sentence-transformers has no <c>model_type</c>.</summary>
    private static bool IsModel(DirectoryInfo folder)
    {
        string config = Path.Combine(folder.FullName, "config.json"), adapter = Path.Combine(folder.FullName, AdapterConfigName);
        if (!folder.EnumerateFiles("*.safetensors").Any() || !(File.Exists(config) || File.Exists(adapter))) return false;
        if (File.Exists(adapter)) return true;
        try
        {
            return ModelConfig.Load(config).Find("model_type") is not null;
        }
        catch (WiscaException)
        {
            return !IsPartFolder(folder.Name);
        }
    }

    /// <summary>The parts of sentence-transformers behind the Transformer: 2_Dense and the like.</summary>
    private static bool IsPartFolder(string name) =>
        char.IsAsciiDigit(name[0]) && name.Contains('_') && !HasExtension(name, "_Transformer");

    private static bool HasDataExtension(string name) =>
        Path.GetExtension(name).ToLowerInvariant() is "" or ".bin" or ".pt" or ".pth" or ".safetensors" or ".json" or ".npz";
}
