namespace Wisca.Data.Corpora.Stories;

/// <summary>What a variable of a story stands for: a word, and for a character also what it is (girl, fox) and its gender.</summary>
internal readonly record struct StoryValue(StoryWord Word, StoryWord? Kind = null, StoryWord? Gender = null)
{
    /// <summary>The values of an attribute, from the nearest that has it.</summary>
    public string[] Attribute(string name)
    {
        if (name == "kind" && Kind is not null) return [Kind.Text];
        foreach (var word in (ReadOnlySpan<StoryWord?>)[Word, Kind, Gender])
        {
            if (word is not null && word.Attributes.TryGetValue(name, out string[]? values)) return values;
        }

        throw new InvalidOperationException($"the word '{Word.Text}' has no attribute '{name}'");
    }
}
