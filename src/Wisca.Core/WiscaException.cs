namespace Wisca;

/// <summary>
/// Bad input or a failed check that the user can act on: one line that names the file, the tensor or the key and says what
/// was expected, and a hint at the way out. The command line prints it without a stack trace and exits with 1.
/// </summary>
public sealed class WiscaException : Exception
{
    /// <summary>Creates the error.</summary>
    /// <param name="message">One line: what is wrong, where, and what was expected.</param>
    /// <param name="hint">One line: what the user can do about it, or null.</param>
    /// <param name="innerException">The cause, shown only under <c>--verbose</c>.</param>
    public WiscaException(string message, string? hint = null, Exception? innerException = null)
        : base(OneLine(message), innerException) => Hint = hint is null ? null : OneLine(hint);

    /// <summary>What the user can do about it, or null.</summary>
    public string? Hint { get; }

    /// <summary>One line for each fault where there are several, printed below the message; empty otherwise.</summary>
    public IReadOnlyList<string> Details { get; init => field = [.. value.Select(OneLine)]; } = [];

    /// <summary>Messages quote names from files, and those may hold anything: line breaks, escape sequences, megabytes.</summary>
    private static string OneLine(string text)
    {
        const int most = 2000;
        if (text.Length > most) text = string.Concat(text.AsSpan(0, most), "...");
        return PrintableText.Of(text);
    }
}
