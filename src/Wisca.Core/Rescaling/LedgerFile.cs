namespace Wisca.Rescaling;

/// <summary>A file that wisca wrote into the folder.</summary>
/// <param name="Name">Path relative to the folder.</param>
/// <param name="Size">Length in bytes.</param>
public sealed record LedgerFile(string Name, long Size);
