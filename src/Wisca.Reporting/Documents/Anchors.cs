namespace Wisca.Reporting.Documents;

/// <summary>Makes names for anchors and files out of titles, each once.</summary>
internal sealed class Anchors
{
    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);

    public string Of(string title)
    {
        string name = Slug(title), unique = name;
        for (int number = 2; !_taken.Add(unique); number++) unique = $"{name}-{number}";
        return unique;
    }

    private static string Slug(string title)
    {
        string name = string.Join(
            '-',
            new string([.. title.Select(c => char.IsAsciiLetterOrDigit(c) ? char.ToLowerInvariant(c) : ' ')]).Split(
                ' ',
                StringSplitOptions.RemoveEmptyEntries));
        return name.Length == 0 ? "part" : name[..Math.Min(name.Length, 80)];
    }
}
