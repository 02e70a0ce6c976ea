using System.Buffers;
using System.IO.Hashing;
using System.Text.Json;
using System.Text.Json.Serialization;
using Wisca.Checkpoints;
using Wisca.Files;

namespace Wisca.Rescaling;

/// <summary>
/// What was done to a checkpoint since it came from elsewhere: <c>wisca.json</c> beside the weights. Taken together its moves lead from
/// the original gauge to the present one; undoing them leads back.
/// </summary>
/// <param name="Version">Version of the file's format.</param>
/// <param name="Moves">The moves in order; empty where they were undone.</param>
/// <param name="Files">What wisca wrote into the folder, this file aside.</param>
/// <param name="ForOriginal">Of an adapter: true where it is known to be expressed for the original base,
/// and not for a rescaled one.</param>
public sealed record Ledger(
    int Version,
    IReadOnlyList<LedgerMove> Moves,
    IReadOnlyList<LedgerFile> Files,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool ForOriginal = false)
{
    /// <summary>The file's name.</summary>
    public const string FileName = SideFiles.LedgerName;

    /// <summary>The version of the format that this code writes and reads.</summary>
    public const int CurrentVersion = 1;

    private const string Hint = "wisca.json is not as wisca wrote it; without it the folder is still a valid model, but cannot be undone";

    /// <summary>Reads the ledger of a model folder; null where it has none.</summary>
    /// <exception cref="WiscaException">There is one, but it is broken or of a later version.</exception>
    public static Ledger? Load(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path)) return null;
        try
        {
            PlainFile.Check(path);
            using var stream = File.OpenRead(path);
            var ledger =
                JsonSerializer.Deserialize(stream, LedgerJson.Default.Ledger) ?? throw new WiscaException($"{FileName} is null", Hint);
            if (ledger.Version != CurrentVersion)
                throw new WiscaException(
                    $"{FileName} has version {ledger.Version}, expected {CurrentVersion}",
                    "use the version of wisca that wrote it");
            return ledger.FindFault() is { } fault ? throw new WiscaException($"{FileName}: {fault}", Hint) : ledger;
        }
        catch (JsonException exception)
        {
            throw new WiscaException($"{FileName}: {JsonFile.Reason(exception)}", Hint, exception);
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException($"{path} {FileFailure.Reason(path, exception)}", "check its permissions", exception);
        }
    }

    /// <summary>What the JSON reader lets through although no ledger says it; null where there is nothing.</summary>
    private string? FindFault()
    {
        if (Files.Any(file => file?.Name is null or "" || file.Size < 0)) return "a file without a name or a size";
        if (Files.Select(file => file.Name).Distinct(StringComparer.Ordinal).Count() < Files.Count) return "a file is listed twice";
        for (int index = 0; index < Moves.Count; index++)
        {
            if ((Moves[index] is { } move ? move.FindFault() : "null") is { } fault) return $"move {index}: {fault}";
        }

        return null;
    }

    /// <summary>For each tensor that a move scaled, the digests of the latest one.</summary>
    internal Dictionary<string, TensorDigests> LatestDigests()
    {
        var latest = new Dictionary<string, TensorDigests>(StringComparer.Ordinal);
        foreach (var (tensor, digests) in Moves.SelectMany(move => move.Tensors)) latest[tensor] = digests;
        return latest;
    }

    internal static string Digest(StoredTensor tensor)
    {
        var hash = new XxHash128();
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(1 << 18, Math.Max(1, tensor.Info.ByteLength)));
        for (long offset = 0; offset < tensor.Info.ByteLength;)
        {
            var piece = buffer.AsSpan(0, (int)Math.Min(buffer.Length, tensor.Info.ByteLength - offset));
            tensor.Read(offset, piece);
            hash.Append(piece);
            offset += piece.Length;
        }

        ArrayPool<byte>.Shared.Return(buffer);
        return CheckpointRewriter.Hex(hash);
    }

    /// <summary>Writes the ledger into a folder that has none.</summary>
    /// <param name="folder">The folder.</param>
    public void Save(string folder)
    {
        using var stream = new FileStream(Path.Combine(folder, FileName), FileMode.CreateNew, FileAccess.Write);
        JsonSerializer.Serialize(stream, this, LedgerJson.Default.Ledger);
        stream.WriteByte((byte)'\n');
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    WriteIndented = true)]
[JsonSerializable(typeof(Ledger))]
internal sealed partial class LedgerJson : JsonSerializerContext;
