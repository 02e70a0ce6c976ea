namespace Wisca.Commands.CommandLine;

/// <summary>Why a command failed.</summary>
/// <param name="Message">One line: what is wrong, where, and what was expected.</param>
/// <param name="Hint">One line: the way out; null where there is none to tell.</param>
/// <param name="Details">One line for each fault where there are several.</param>
public sealed record CommandFailure(string Message, string? Hint, IReadOnlyList<string> Details);
