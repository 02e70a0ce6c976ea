using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Data.Corpora;
using Wisca.Files;

namespace Wisca.Evaluation.Scoring;

/// <summary>The sums of a measurement that is not complete, in a file beside its result:
/// a run that was killed goes on with the next document.</summary>
public sealed class PerplexityState
{
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, IgnoreReadOnlyProperties = true };

    private readonly string _identity;

    /// <summary>Creates it; writes nothing.</summary>
    /// <param name="output">The file of the result.</param>
    /// <param name="identity">All that the sums depend on: the model, the text, the options.</param>
    public PerplexityState(string output, string identity)
    {
        ArgumentException.ThrowIfNullOrEmpty(output);
        Path = output + ".partial";
        _identity = identity;
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Files of a text as a part of an identity: their paths, sizes and times.</summary>
    public static JsonNode Describe(CorpusReader corpus)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        return new JsonObject
        {
            ["field"] = corpus.Options.Field,
            ["separator"] = corpus.Options.Separator,
            ["files"] = new JsonArray([.. corpus.Files.Select(file => (JsonNode?)$"{file.FullPath} {file.Length} {file.LastWriteTime:O}")]),
        };
    }

    /// <summary>The sums that were saved; null where there are none, or where they belong to something else.</summary>
    /// <param name="foreign">Whether there is a file that belongs to something else; it will be replaced.</param>
    public PerplexitySums? Load(out bool foreign)
    {
        foreign = false;
        if (!File.Exists(Path)) return null;
        try
        {
            PlainFile.Check(Path);
            var saved = JsonSerializer.Deserialize<Saved>(File.ReadAllBytes(Path), Json);
            foreign = saved?.Identity != _identity;
            return foreign ? null : saved!.Sums;
        }
        catch (JsonException)
        {
            foreign = true;
            return null;
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException(
                $"{Path} {FileFailure.Reason(Path, exception)}",
                "it holds the state of an evaluation that was stopped; delete it to begin anew", exception);
        }
    }

    /// <summary>Replaces the file in one step.</summary>
    /// <exception cref="WiscaException">It cannot be written.</exception>
    public void Save(PerplexitySums sums) =>
        OutputFile.Write(Path, replace: true, stream => JsonSerializer.Serialize(stream, new Saved(_identity, sums), Json));

    /// <summary>Deletes the file, when the result is written.</summary>
    public void Delete() => File.Delete(Path);

    private sealed record Saved(string Identity, PerplexitySums Sums);
}
