namespace Wisca.Library.Documents;

/// <summary>What a caller is told of an error.</summary>
/// <param name="Message">One line: what is wrong, where, and what was expected.</param>
/// <param name="Hint">One line: the way out; null where there is none to tell.</param>
/// <param name="Details">One line for each fault where there are several.</param>
internal sealed record ErrorDescription(string Message, string? Hint, IReadOnlyList<string> Details);
