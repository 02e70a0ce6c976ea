namespace Wisca.Cli.CommandLine;

/// <summary>Wrong usage that only the verb can see; ends the process with 2.</summary>
internal sealed class UsageException(string message) : Exception(message);
