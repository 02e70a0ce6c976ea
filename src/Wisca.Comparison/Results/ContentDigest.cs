using Wisca.Files;

namespace Wisca.Comparison.Results;

/// <summary>What a file holds, as hex.</summary>
internal static class ContentDigest
{
    /// <summary>Hashes a file's bytes.</summary>
    /// <param name="path">The file.</param>
    /// <param name="hash">The hash of a stream.</param>
    /// <exception cref="WiscaException">The file cannot be read.</exception>
    public static string Of(string path, Func<Stream, byte[]> hash)
    {
        try
        {
            PlainFile.Check(path);
            using var stream = File.OpenRead(path);
            return Convert.ToHexStringLower(hash(stream));
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException($"{path} {FileFailure.Reason(path, exception)}", "check the path and its permissions", exception);
        }
    }
}
