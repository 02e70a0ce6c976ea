using System.Text.Json;
using System.Text.Json.Serialization;
using Wisca.Files;
using Wisca.Settings;

namespace Wisca.Training.Checkpointing;

/// <summary>
/// Where a run stands, apart from weights and the optimizer's state: <c>training/state.json</c> in a checkpoint. There is no state of a
/// random generator: what is random in a run is a function of its seed and of these positions.
/// </summary>
/// <param name="Version">Version of the file's format.</param>
/// <param name="Step">Number of steps that are done.</param>
/// <param name="SamplerPosition">Position of the sampler: number of sequences that were drawn.</param>
/// <param name="TokensSeen">Number of tokens that were trained on.</param>
/// <param name="Seconds">Seconds of training so far.</param>
/// <param name="AverageLoss">Running average of the loss, by which an explosion is known; null before the first step.</param>
/// <param name="BestLoss">The lowest held-out loss; null before the first evaluation.</param>
/// <param name="BestStep">The step it was measured at.</param>
/// <param name="MetricsPosition">Length of metrics.jsonl in bytes.</param>
/// <param name="ConfigHash">Hash of the configuration (<see cref="SettingsWriter.Hash"/>).</param>
/// <param name="Threads">Number of threads; results are equal bit for bit only with the same.</param>
/// <param name="Versions">Versions of what computed it, such as <c>wisca</c> and <c>libtorch</c>.</param>
public sealed record TrainingState(
    int Version,
    long Step,
    long SamplerPosition,
    long TokensSeen,
    double Seconds,
    double? AverageLoss,
    double? BestLoss,
    long? BestStep,
    long MetricsPosition,
    string ConfigHash,
    int Threads,
    IReadOnlyDictionary<string, string> Versions)
{
    /// <summary>The version of the format that this code writes and reads.</summary>
    public const int CurrentVersion = 1;

    /// <summary>What was not reported yet.</summary>
    public PendingReport Pending { get; init; }

    /// <summary>Digest of the frozen model that an adapter trains on (<see cref="Checkpoints.ModelDigest"/>), which a checkpoint does not
    /// hold; null where there is none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Base { get; init; }

    /// <summary>Number of processes that trained together; null for one. Results are equal bit for bit only with the same.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Ranks { get; init; }

    // Far beyond any run, and far from where sums of counts overflow.
    private const long LargestCount = 1L << 53;

    private const string Hint = "the checkpoint cannot be resumed; its weights can still be continued with model.from";

    /// <summary>Reads the state of a checkpoint.</summary>
    /// <param name="checkpoint">The checkpoint's folder.</param>
    /// <exception cref="WiscaException">There is none, or it is broken or of another version.</exception>
    public static TrainingState Load(string checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        string path = Path.Combine(checkpoint, RunLayout.State);
        try
        {
            PlainFile.Check(path);
            using var stream = File.OpenRead(path);
            var state =
                JsonSerializer.Deserialize(stream, TrainingJson.Default.TrainingState)
                ?? throw new WiscaException($"{path} is null, expected an object", Hint);
            if (state.Version != CurrentVersion)
                throw new WiscaException(
                    $"{path} has version {state.Version}, expected {CurrentVersion}",
                    "use the version of wisca that wrote it");
            if (
                ((long[])[state.Step, state.SamplerPosition, state.TokensSeen, state.MetricsPosition]).FirstOrDefault(count =>
                    count is < 0 or > LargestCount)
                is not 0
                    and var absurd)
                throw new WiscaException($"{path} holds the count {absurd}, expected one from 0 to {LargestCount}", Hint);
            return state;
        }
        catch (JsonException exception)
        {
            throw new WiscaException($"{path}: {exception.Message.Split(['\n', '\r'])[0]}", Hint, exception);
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException($"{path} {FileFailure.Reason(path, exception)}", Hint, exception);
        }
    }

    /// <summary>Writes the state into a checkpoint that is being made.</summary>
    /// <param name="checkpoint">The checkpoint's folder.</param>
    public void Save(string checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        string path = Path.Combine(checkpoint, RunLayout.State);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, [.. JsonSerializer.SerializeToUtf8Bytes(this, TrainingJson.Default.TrainingState), (byte)'\n']);
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    WriteIndented = true)]
[JsonSerializable(typeof(TrainingState))]
[JsonSerializable(typeof(CheckpointPointer))]
[JsonSerializable(typeof(List<AppliedTransition>))]
internal sealed partial class TrainingJson : JsonSerializerContext;
