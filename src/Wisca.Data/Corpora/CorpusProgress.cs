namespace Wisca.Data.Corpora;

/// <summary>How far a tokenisation is.</summary>
/// <param name="Documents">Documents written so far.</param>
/// <param name="Tokens">Tokens written so far.</param>
/// <param name="BytesRead">Bytes of the files read so far, as stored; 0 where the documents do not come from files.</param>
/// <param name="Length">Bytes of the files; 0 where the documents do not come from files.</param>
public readonly record struct CorpusProgress(long Documents, long Tokens, long BytesRead, long Length);
