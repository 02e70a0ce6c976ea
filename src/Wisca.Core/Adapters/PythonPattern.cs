using System.Text.RegularExpressions;

namespace Wisca.Adapters;

/// <summary>
/// A regular expression as Python's <c>re</c> reads it, which is what PEFT matches with. What takes longer than a second to match is
/// refused instead of waited for.
/// </summary>
internal sealed class PythonPattern
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private readonly Regex _regex;
    private readonly IReadOnlyDictionary<string, int> _names;
    private readonly string _what;

    private PythonPattern(Regex regex, IReadOnlyDictionary<string, int> names, string what) =>
        (_regex, _names, _what) = (regex, names, what);

    /// <summary>Translates a pattern that the whole text must match (<c>re.fullmatch</c>).</summary>
    /// <param name="pattern">The pattern.</param>
    /// <param name="what">File, key and pattern, for error messages.</param>
    /// <exception cref="WiscaException">It is no regular expression of Python's, or has a construct that is not known here.</exception>
    public static PythonPattern Whole(string pattern, string what) => Compile(pattern, @"\A(?:", @")\z", what);

    /// <summary>Translates a pattern that the beginning of a text must match (<c>re.match</c>).</summary>
    /// <inheritdoc cref="Whole"/>
    public static PythonPattern Beginning(string pattern, string what) => Compile(pattern, @"\A(?:", ")", what);

    /// <summary>True where a text matches.</summary>
    /// <exception cref="WiscaException">It takes too long to find out.</exception>
    public bool IsMatch(string text) => Match(text).Success;

    /// <summary>What a named group holds; null where the text does not match.</summary>
    /// <exception cref="WiscaException">It takes too long to find out.</exception>
    public string? Group(string text, string name) =>
        Match(text) is { Success: true } match ? match.Groups[_names[name]].Value : null;

    private static PythonPattern Compile(string pattern, string before, string behind, string what)
    {
        var translation = new PythonPatternTranslation(pattern, what);
        string translated = translation.Translate();
        try
        {
            return new PythonPattern(
                new Regex(before + translated + behind, RegexOptions.CultureInvariant, Patience), translation.Names, what);
        }
        catch (ArgumentException exception)
        {
            throw new WiscaException($"{what} is not a regular expression: {exception.Message}", "mend the pattern", exception);
        }
    }

    private Match Match(string text)
    {
        try
        {
            return _regex.Match(text);
        }
        catch (RegexMatchTimeoutException exception)
        {
            throw new WiscaException(
                $"{_what} takes longer than {Patience.TotalSeconds:0} s to match '{text}'",
                "repetitions within repetitions, such as (a+)+, try every way there is: write the pattern without them", exception);
        }
    }
}
