namespace Wisca.Data.Corpora.Stories;

/// <summary>Where the word of a variable comes from: <c>let toy = toys</c>,
/// <c>let colour = toy.colour</c>, <c>let other = toys not toy</c>.</summary>
/// <param name="Words">The words to choose from; empty for an attribute.</param>
/// <param name="Owner">The variable whose attribute it is, or that it must differ from.</param>
/// <param name="Attribute">The attribute, of which one value is chosen for the whole story.</param>
internal sealed record StoryVariable(StoryWord[] Words, string? Owner, string? Attribute);
