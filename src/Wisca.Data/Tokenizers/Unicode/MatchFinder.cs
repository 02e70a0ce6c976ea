namespace Wisca.Data.Tokenizers.Unicode;

/// <summary>Adds all places of a text where something is found, in order.</summary>
internal delegate void MatchFinder(ReadOnlySpan<char> text, List<(int Start, int End)> matches);
