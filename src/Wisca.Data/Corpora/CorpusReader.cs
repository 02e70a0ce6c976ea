using Wisca.Data.Corpora.Reading;

namespace Wisca.Data.Corpora;

/// <summary>
/// The documents of files, one after the other. No more of them is held in memory than one document, or one row group of a Parquet file.
/// </summary>
/// <remarks>
/// <para>By extension a file is plain text (<c>.txt</c>, <c>.text</c>, <c>.md</c>), JSON lines (<c>.jsonl</c>, <c>.ndjson</c>,
/// <c>.json</c>) or Parquet (<c>.parquet</c>), and each of them may be compressed with gzip or zstd (<c>.txt.gz</c>, <c>.jsonl.zst</c>),
/// which its first bytes tell. A file that is named itself and has another extension is plain text; one that a folder or a pattern brings
/// in is an error. What is plainly something else (an archive, another compression, UTF-16) is refused by its name.</para>
/// <para>Plain text is UTF-8, with or without a byte order mark. A file is one document, or several where there are lines that are exactly
/// the separator. The line break at a document's end does not belong to it unless the options say so; every other character does. Documents
/// of nothing but white space are left out.</para>
/// <para>The order is that of the sources, and within a folder or a pattern that of the paths, compared by character code; a file that
/// comes twice counts where it comes first. Hidden files and folders (<c>.git</c>) are left out,
/// and links to folders are not followed.</para>
/// </remarks>
public sealed class CorpusReader
{
    private readonly CorpusReaderOptions _options;

    private CorpusReader(IReadOnlyList<CorpusFile> files, CorpusReaderOptions options)
    {
        Files = files;
        _options = options;
    }

    /// <summary>The files in the order of reading.</summary>
    public IReadOnlyList<CorpusFile> Files { get; }

    /// <summary>How documents are found in them.</summary>
    public CorpusReaderOptions Options => _options;

    /// <summary>Bytes of all files, as stored.</summary>
    public long Length => Files.Sum(file => file.Length);

    /// <summary>Finds the files of a corpus.</summary>
    /// <param name="sources">
    /// Files, folders (with all below them) and patterns. In a pattern <c>*</c> stands for any characters of a name, <c>?</c> for one of
    /// them and
    /// <c>**</c> for any folders.
    /// </param>
    /// <param name="options">How documents are found in the files; null for the defaults.</param>
    /// <exception cref="WiscaException">A source does not exist, brings in no file, or brings in one that is no corpus.</exception>
    public static CorpusReader Open(IEnumerable<string> sources, CorpusReaderOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(sources);
        options ??= new CorpusReaderOptions();
        if (options.Field.Length == 0)
            throw new WiscaException("the name of the text field is empty", "name a field of the JSON objects, such as text");
        if (options.Separator is { } separator && (separator.Length == 0 || separator.AsSpan().ContainsAny('\r', '\n')))
            throw new WiscaException(
                "the separator is empty or more than one line",
                "name a text that fills a line, such as <|endoftext|>");
        var files = sources.SelectMany(SourceFinder.Find).DistinctBy(file => file.FullPath, StringComparer.Ordinal).ToList();
        return files.Count == 0
            ? throw new WiscaException("no source was given", "name files, folders or patterns")
            : new CorpusReader(files, options);
    }

    /// <summary>Reads the documents, from the first one each time.</summary>
    /// <param name="progress">Told, before each document, how many bytes of <see cref="Length"/> were read.</param>
    /// <param name="cancellation">Ends the reading, also while a file keeps it waiting.</param>
    /// <exception cref="WiscaException">
    /// A file is gone, cannot be read, or breaks its format: bytes that are no UTF-8, JSON that is no object, a text that is missing or no
    /// string, a compressed file that is damaged or cut short. The message names the file and, where it has lines, the line.
    /// </exception>
    public IEnumerable<string> Documents(IProgress<long>? progress = null, CancellationToken cancellation = default)
    {
        long done = 0;
        foreach (var file in Files)
        {
            foreach (var (text, position) in Read(file, cancellation))
            {
                progress?.Report(done + position);
                if (!string.IsNullOrWhiteSpace(text)) yield return text;
            }

            CheckUnchanged(file);
            done += file.Length;
            progress?.Report(done);
        }
    }

    /// <summary>What was read of a file while another program wrote it is a mixture of two texts.</summary>
    private static void CheckUnchanged(CorpusFile file)
    {
        var now = SourceFinder.FileOf(file.FullPath);
        if (now.Exists && now.Length == file.Length && now.LastWriteTimeUtc == file.LastWriteTime) return;
        throw new WiscaException($"{file.Path} was changed while it was read", "another program is writing it; run again when it is done");
    }

    private IEnumerable<(string Text, long Position)> Read(CorpusFile file, CancellationToken cancellation) => file.Format switch
    {
        CorpusFormat.Parquet => ParquetDocuments.Read(file, _options.Field, cancellation),
        CorpusFormat.JsonLines => JsonLinesDocuments.Read(file, _options.Field),
        _ => TextDocuments.Read(file, _options.Separator, _options.KeepsFinalBreak),
    };
}
