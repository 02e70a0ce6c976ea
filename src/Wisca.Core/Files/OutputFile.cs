using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Wisca.Files;

/// <summary>A file that a user named for a result: an <see cref="AtomicFile"/> that says in one line why it cannot be.</summary>
public static class OutputFile
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Makes sure, before the work begins, that the result can be written.</summary>
    /// <param name="path">The file.</param>
    /// <param name="replace">Whether one that exists is replaced.</param>
    /// <exception cref="WiscaException">The place is taken or cannot be written.</exception>
    public static void Check(string path, bool replace)
    {
        using var trial = Create(path, replace);
    }

    /// <summary>Begins the file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="replace">Whether one that exists is replaced.</param>
    /// <exception cref="WiscaException">The place is taken or cannot be written.</exception>
    public static AtomicFile Create(string path, bool replace)
    {
        if (string.IsNullOrWhiteSpace(path)) throw new WiscaException("the output's path is empty", "name the file to write");
        string folder = WorkingName.FolderOf(Path.GetFullPath(path));
        if (Directory.Exists(path)) throw new WiscaException($"output {path} is a folder", "name a file in it");
        if (!Directory.Exists(folder))
            throw new WiscaException($"the folder of output {path} does not exist", $"create it first: mkdir -p '{folder}'");
        if (File.Exists(path) && !replace)
            throw new WiscaException($"output {path} exists", "choose another name, or replace it with --force");
        try
        {
            return AtomicFile.Create(path, replace);
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException($"output {path} cannot be written: {exception.Message}", "choose a place you may write to", exception);
        }
    }

    /// <summary>Writes a result as indented JSON.</summary>
    /// <param name="path">The file.</param>
    /// <param name="json">The result.</param>
    /// <param name="replace">Whether one that exists is replaced.</param>
    /// <exception cref="WiscaException">The place is taken or cannot be written.</exception>
    public static void Write(string path, JsonNode json, bool replace)
    {
        ArgumentNullException.ThrowIfNull(json);
        Write(path, replace, stream =>
        {
            using (var writer = new Utf8JsonWriter(stream, Indented)) json.WriteTo(writer);
            stream.WriteByte((byte)'\n');
        });
    }

    /// <summary>Writes a result as text in UTF-8.</summary>
    /// <param name="path">The file.</param>
    /// <param name="text">The result.</param>
    /// <param name="replace">Whether one that exists is replaced.</param>
    /// <exception cref="WiscaException">The place is taken or cannot be written.</exception>
    public static void Write(string path, string text, bool replace) =>
        Write(path, replace, stream => stream.Write(Encoding.UTF8.GetBytes(text)));

    /// <summary>Writes a result.</summary>
    /// <param name="path">The file.</param>
    /// <param name="replace">Whether one that exists is replaced.</param>
    /// <param name="write">Writes it.</param>
    /// <exception cref="WiscaException">The place is taken, or the disk is full or failed.</exception>
    public static void Write(string path, bool replace, Action<Stream> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        using var file = Create(path, replace);
        try
        {
            write(file.Stream);
            file.Commit();
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException(
                $"output {path} cannot be written: {exception.Message}", "free some space, or choose another disk", exception);
        }
    }
}
