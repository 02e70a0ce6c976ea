namespace Wisca.Files;

/// <summary>Says in a few words why a file could not be read.</summary>
public static class FileFailure
{
    /// <summary>True for what a file system refuses, as opposed to a defect of the program.</summary>
    /// <param name="exception">What was thrown.</param>
    public static bool IsExpected(Exception exception) => exception is IOException or UnauthorizedAccessException or NotSupportedException;

    /// <summary>True for a link whose target is not there, or that leads to itself. (File.Exists is true for both.)</summary>
    public static bool IsBrokenLink(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget is not null
                && !Path.Exists(File.ResolveLinkTarget(path, returnFinalTarget: true)!.FullName);
        }
        catch (IOException)
        {
            return true;
        }
    }

    /// <summary>The reason, to follow the path: "does not exist".</summary>
    public static string Reason(string path, Exception exception) => exception switch
    {
        FileNotFoundException or DirectoryNotFoundException => new FileInfo(path).LinkTarget is { } target
            ? $"is a link to {target}, which does not exist"
            : "does not exist",
        _ when Directory.Exists(path) => "is a folder, expected a file",
        _ => $"cannot be read: {exception.Message}",
    };
}
