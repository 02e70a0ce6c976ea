using System.IO.Enumeration;
using System.Text.RegularExpressions;
using Wisca.Data.Corpora.Reading.Packing;
using Wisca.Files;

namespace Wisca.Data.Corpora.Reading;

/// <summary>Finds the files that a source (a file, a folder, a pattern) stands for.</summary>
internal static class SourceFinder
{
    private const string Known = ".txt, .text, .md, .jsonl, .ndjson, .json, .parquet, or one of these with .gz or .zst";

    public static IEnumerable<CorpusFile> Find(string source)
    {
        if (string.IsNullOrWhiteSpace(source)) throw new WiscaException("a source's path is empty", "name a file, a folder or a pattern");
        if (File.Exists(source) || FileFailure.IsBrokenLink(source)) return [Describe(source, named: true)];
        if (Directory.Exists(source))
        {
            var files = Below(source, int.MaxValue);
            return files.Count > 0
                ? files.Select(path => Describe(path, named: false))
                : throw new WiscaException($"folder {source} holds no file", $"expected files of {Known}");
        }

        if (!source.AsSpan().ContainsAny('*', '?'))
            throw new WiscaException($"{source} does not exist", "name a file, a folder or a pattern such as 'texts/**/*.txt'");
        var matches = Match(source);
        return matches.Count > 0
            ? matches.Select(path => Describe(path, named: false))
            : throw new WiscaException($"no file matches {source}", "* stands for a part of a name, ** for any folders");
    }

    private static List<string> Match(string pattern)
    {
        pattern = pattern.Replace(Path.DirectorySeparatorChar, '/');
        int wildcard = pattern.AsSpan().IndexOfAny('*', '?'), slash = pattern.LastIndexOf('/', wildcard);
        string folder = slash < 0 ? "" : pattern[..(slash + 1)], rest = pattern[(slash + 1)..];
        if (!Directory.Exists(slash < 0 ? "." : folder))
            throw new WiscaException($"folder {folder} of {pattern} does not exist", "name a folder that exists");
        string[] steps = rest.Split('/');
        int depth = steps.Contains("**") ? int.MaxValue : steps.Length - 1;
        var expression = new Regex(
            $"^{string.Concat(steps.Select((step, i) => Translate(step, i == steps.Length - 1)))}$",
            RegexOptions.CultureInvariant | RegexOptions.Singleline);
        return
        [
            .. Below(slash < 0 ? "." : folder, depth)
                .Where(path =>
                    expression.IsMatch(Path.GetRelativePath(slash < 0 ? "." : folder, path).Replace(Path.DirectorySeparatorChar, '/'))),
        ];
    }

    private static string Translate(string step, bool last) =>
        step == "**"
            ? last
                ? ".*"
                : "(?:[^/]+/)*"
            : Regex.Escape(step).Replace("\\*", "[^/]*", StringComparison.Ordinal).Replace("\\?", "[^/]", StringComparison.Ordinal)
                + (last ? "" : "/");

    /// <summary>The files of a folder and of the folders in it, in the order of their paths.</summary>
    private static List<string> Below(string folder, int depth)
    {
        try
        {
            var options = new EnumerationOptions
            {
                RecurseSubdirectories = depth > 0,
                MaxRecursionDepth = depth,
                IgnoreInaccessible = false,
                AttributesToSkip = FileAttributes.None,
            };
            var files = new FileSystemEnumerable<string>(folder, (ref FileSystemEntry entry) => entry.ToSpecifiedFullPath(), options)
            {
                ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory && !entry.FileName.StartsWith('.'),

                // A link may lead back up.
                ShouldRecursePredicate = (ref FileSystemEntry entry) =>
                    !entry.FileName.StartsWith('.') && !entry.Attributes.HasFlag(FileAttributes.ReparsePoint),
            };
            return [.. files.Order(StringComparer.Ordinal)];
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException($"folder {folder} cannot be read: {exception.Message}", "check its permissions", exception);
        }
    }

    /// <summary>What a file is that its name does not make text; null where that is not known.</summary>
    private static (string What, string Hint)? HeadOf(string path)
    {
        try
        {
            // A pipe has no length, and might keep who opens it waiting.
            if (new FileInfo(path).Length == 0) return null;
            using var file = File.OpenRead(path);
            byte[] head = new byte[ForeignContent.HeadLength];
            return ForeignContent.Of(head.AsSpan(0, file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false)));
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            return null;
        }
    }

    private static CorpusFile Describe(string path, bool named)
    {
        string extension = Path.GetExtension(path[..^PackedFile.ExtensionOf(path).Length]).ToLowerInvariant();
        CorpusFormat? format = extension switch
        {
            ".txt" or ".text" or ".md" => CorpusFormat.Text,
            ".jsonl" or ".ndjson" or ".json" => CorpusFormat.JsonLines,
            ".parquet" => CorpusFormat.Parquet,
            _ => named ? CorpusFormat.Text : null,
        };
        if (format is null)
        {
            if (HeadOf(path) is var (what, hint)) throw new WiscaException($"{path} {what}, which is not read", hint);
            throw new WiscaException(
                $"{path} is no corpus file: expected {Known}",
                "name the file itself to read it as plain text, or name a pattern that leaves it out");
        }

        try
        {
            var file = FileOf(path);
            return new CorpusFile(path, Path.GetFullPath(path), format.Value, file.Length, file.LastWriteTimeUtc);
        }
        catch (Exception exception) when (FileFailure.IsExpected(exception))
        {
            throw new WiscaException($"{path} {FileFailure.Reason(path, exception)}", "check the path and its permissions", exception);
        }
    }

    /// <summary>The file that a path leads to, through links.</summary>
    internal static FileInfo FileOf(string path)
    {
        var file = new FileInfo(path);
        return file.LinkTarget is not null && file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target ? target : file;
    }
}
