namespace Wisca.Commands.CommandLine;

/// <summary>Wrong usage that only the verb can see; ends the process with 2.</summary>
/// <param name="message">What is wrong.</param>
public sealed class UsageException(string message) : Exception(message);
