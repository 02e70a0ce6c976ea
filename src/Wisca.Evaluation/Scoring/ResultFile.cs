using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Data.Corpora;

namespace Wisca.Evaluation.Scoring;

/// <summary>The result of an evaluation as a file, which appears in its place when it is complete.</summary>
public static class ResultFile
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Makes sure, before the work begins, that the result can be written.</summary>
    /// <param name="path">The file.</param>
    /// <param name="replace">Whether one that exists is replaced.</param>
    /// <exception cref="WiscaException">The place is taken or cannot be written.</exception>
    public static void Check(string path, bool replace)
    {
        using var trial = StagedFile.Create(path, replace);
    }

    /// <summary>Writes a result as indented JSON.</summary>
    /// <param name="path">The file.</param>
    /// <param name="json">The result.</param>
    /// <param name="replace">Whether one that exists is replaced.</param>
    /// <exception cref="WiscaException">The place is taken or cannot be written.</exception>
    public static void Write(string path, JsonNode json, bool replace)
    {
        ArgumentNullException.ThrowIfNull(json);
        using var file = StagedFile.Create(path, replace);
        using (var writer = new Utf8JsonWriter(file.Stream, Indented)) json.WriteTo(writer);
        file.Stream.WriteByte((byte)'\n');
        file.Commit();
    }

    /// <summary>Writes a result as text.</summary>
    /// <param name="path">The file.</param>
    /// <param name="text">The result.</param>
    /// <param name="replace">Whether one that exists is replaced.</param>
    /// <exception cref="WiscaException">The place is taken or cannot be written.</exception>
    public static void Write(string path, string text, bool replace)
    {
        using var file = StagedFile.Create(path, replace);
        file.Stream.Write(Encoding.UTF8.GetBytes(text));
        file.Commit();
    }
}
