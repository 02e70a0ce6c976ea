namespace Wisca.Data.Corpora.Stories;

/// <summary>
/// An endless corpus of simple English stories for where nothing can be downloaded. Each story has a hero, a wish or a trouble, and what
/// follows from it; who does what, with which things of which colour, and where, stays the same from the first sentence to the last.
/// </summary>
/// <remarks>
/// A story is a pure function of seed and index, on every machine and runtime; only a change of the grammar (<c>words.txt</c>,
/// <c>plots.txt</c>) changes it. May be used from many threads at once.
/// </remarks>
/// <param name="seed">Chooses one of 2^64 corpora.</param>
public sealed class StoryGenerator(ulong seed)
{
    /// <summary>Changes whenever the stories do.</summary>
    public const int GrammarVersion = 1;

    private static readonly Lazy<StoryGrammar> Grammar = new(StoryGrammar.Load);

    /// <summary>The story at a place of the corpus.</summary>
    /// <param name="index">0 or more.</param>
    /// <returns>Several hundred to about two thousand characters of ASCII;
    /// paragraphs are separated by one line feed, and none ends the story.</returns>
    public string Story(long index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        var random = new StoryRandom(StoryRandom.Mix(seed) ^ (ulong)index);
        return new StoryTelling(Grammar.Value, random).Tell();
    }

    /// <summary>The stories from a place on, without end.</summary>
    /// <param name="first">Index of the first story.</param>
    public IEnumerable<string> Stories(long first = 0)
    {
        for (long index = first; ; index++) yield return Story(index);
    }
}
