namespace Wisca.Kills;

/// <summary>What a kill must not do, and did.</summary>
internal sealed class KillFault(string message) : Exception(message);
