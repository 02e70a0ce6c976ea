namespace Wisca.Data.Corpora.Stories;

/// <summary>A part of a template.</summary>
internal abstract record StoryPart
{
    /// <summary>Text as it stands.</summary>
    public sealed record Literal(string Text) : StoryPart;

    /// <summary>One of several, chosen anew each time: <c>[this|that|]</c>.</summary>
    public sealed record Choice(StoryPart[][] Options) : StoryPart;

    /// <summary>The word that a variable stands for, or an attribute of it:
    /// <c>{toy}</c>, <c>{toy.colour}</c>, <c>{Toy}</c> with a capital.</summary>
    public sealed record Slot(string Variable, string? Attribute, bool Capital) : StoryPart;

    /// <summary>One of the templates of a rule: <c>{#opening}</c>.</summary>
    public sealed record Call(string Rule) : StoryPart;

    /// <summary>Parses a template.</summary>
    /// <exception cref="InvalidOperationException">Brackets do not match.</exception>
    public static StoryPart[] Parse(string template)
    {
        int at = 0;
        var parts = ParseUntil(template, ref at, "");
        return at == template.Length ? parts : throw new InvalidOperationException($"a bracket too many: {template[at..]}");
    }

    private static StoryPart[] ParseUntil(string template, ref int at, string ends)
    {
        var parts = new List<StoryPart>();
        while (at < template.Length && !ends.Contains(template[at]))
        {
            if (template[at] == '[') parts.Add(ParseChoice(template, ref at));
            else if (template[at] == '{') parts.Add(ParseSlot(template, ref at));
            else parts.Add(ParseLiteral(template, ref at));
        }

        return [.. parts];
    }

    private static Literal ParseLiteral(string template, ref int at)
    {
        int length = template.AsSpan(at).IndexOfAny("[]{}|");
        if (length == 0) throw new InvalidOperationException($"a bracket too many: {template[at..]}");
        string text = length < 0 ? template[at..] : template.Substring(at, length);
        at += text.Length;
        return new Literal(text);
    }

    private static Choice ParseChoice(string template, ref int at)
    {
        int start = at;
        var options = new List<StoryPart[]>();
        do
        {
            at++;
            options.Add(ParseUntil(template, ref at, "|]"));
            if (at == template.Length) throw new InvalidOperationException($"a bracket is not closed: {template[start..]}");
        }
        while (template[at] == '|');
        at++;
        return new Choice([.. options]);
    }

    private static StoryPart ParseSlot(string template, ref int at)
    {
        int end = template.IndexOf('}', at);
        if (end < 0) throw new InvalidOperationException($"a brace is not closed: {template[at..]}");
        string content = template[(at + 1)..end];
        at = end + 1;
        if (content.StartsWith('#')) return new Call(content[1..]);
        string[] names = content.Split('.');
        return new Slot(names[0].ToLowerInvariant(), names.Length > 1 ? names[1].ToLowerInvariant() : null, content.Any(char.IsUpper));
    }
}
