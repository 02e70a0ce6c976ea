using Wisca.Files;

namespace Wisca.Data.Corpora;

/// <summary>A file that comes into being all at once: it is written beside its place and renamed at the end.</summary>
internal sealed class StagedFile : IDisposable
{
    private readonly string _place, _staging;
    private readonly bool _replace;

    private StagedFile(string place, string staging, bool replace, FileStream stream)
    {
        _place = place;
        _staging = staging;
        _replace = replace;
        Stream = stream;
    }

    public FileStream Stream { get; }

    /// <exception cref="WiscaException">The place is taken or cannot be written.</exception>
    public static StagedFile Create(string path, bool replace)
    {
        if (string.IsNullOrWhiteSpace(path)) throw new WiscaException("the output's path is empty", "name the file to write");
        string place = Path.GetFullPath(path), folder = Path.GetDirectoryName(place) ?? place;
        if (Directory.Exists(path)) throw new WiscaException($"output {path} is a folder", "name a file in it");
        if (!Directory.Exists(folder))
            throw new WiscaException($"the folder of output {path} does not exist", $"create it first: mkdir -p '{folder}'");
        if (File.Exists(path) && !replace)
            throw new WiscaException($"output {path} exists", "choose another name, or replace it with --force");
        string staging = Path.Combine(folder, $".{Path.GetFileName(place)}.{Guid.NewGuid():N}.wisca-partial");
        try
        {
            return new StagedFile(
                place, staging, replace,
                new FileStream(staging, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1 << 16));
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException($"output {path} cannot be written: {exception.Message}", "choose a place you may write to", exception);
        }
    }

    /// <summary>Puts the file in its place, on the disk and not only in the system's memory.</summary>
    public void Commit()
    {
        Stream.Flush(flushToDisk: true);
        Stream.Dispose();
        File.Move(_staging, _place, _replace);
    }

    /// <summary>Clears away what was not committed.</summary>
    public void Dispose()
    {
        Stream.Dispose();
        File.Delete(_staging);
    }
}
