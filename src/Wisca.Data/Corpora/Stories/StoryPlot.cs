namespace Wisca.Data.Corpora.Stories;

/// <summary>A skeleton of a story.</summary>
/// <param name="Name">Its name in the grammar.</param>
/// <param name="Animals">Whether animals may be its characters.</param>
/// <param name="People">Whether children may be its characters.</param>
/// <param name="Variables">Its own variables, beside those that all plots have.</param>
/// <param name="Text">Its template.</param>
internal sealed record StoryPlot(
    string Name, bool Animals, bool People, IReadOnlyDictionary<string, StoryVariable> Variables, StoryPart[] Text);
