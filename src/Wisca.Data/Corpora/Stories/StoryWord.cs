namespace Wisca.Data.Corpora.Stories;

/// <summary>An entry of the word lists.</summary>
/// <param name="Text">The word or phrase itself.</param>
/// <param name="Attributes">What belongs to it (the colours that it may have, its pronouns), each with one or more values.</param>
internal sealed record StoryWord(string Text, IReadOnlyDictionary<string, string[]> Attributes);
