namespace Wisca.Data.Corpora;

/// <summary>A token file that was made.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Documents">Number of documents.</param>
/// <param name="Tokens">Number of tokens, those that end documents included.</param>
/// <param name="TextBytes">Bytes of the documents' text in UTF-8.</param>
public sealed record TokenizedPart(string Path, long Documents, long Tokens, long TextBytes);
