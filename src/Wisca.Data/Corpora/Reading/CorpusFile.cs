namespace Wisca.Data.Corpora.Reading;

/// <summary>A file of a corpus.</summary>
/// <param name="Path">The path as the source named it.</param>
/// <param name="FullPath">The absolute path.</param>
/// <param name="Format">How it holds its documents.</param>
/// <param name="Length">Its length in bytes, as stored.</param>
/// <param name="LastWriteTime">When it was written last, in UTC.</param>
public sealed record CorpusFile(string Path, string FullPath, CorpusFormat Format, long Length, DateTime LastWriteTime);
