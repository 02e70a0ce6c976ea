namespace Wisca.Cli.Tests.Robustness;

/// <summary>One way to break a model folder.</summary>
/// <param name="Expected">What the error says.</param>
/// <param name="Break">Breaks the folder.</param>
/// <param name="Inspect">True where <c>inspect</c> fails on it too.</param>
/// <param name="Named">The file or tensor that the error names as well.</param>
internal sealed record MalformedCase(string Expected, Action<string> Break, bool Inspect = true, string Named = "");
