namespace Wisca.Data.Tokenizers.Models;

/// <summary>Two neighbours that become one token.</summary>
/// <param name="Left">Id of the left token.</param>
/// <param name="Right">Id of the right token.</param>
/// <param name="Rank">Merges of lower rank come first; of equal rank, the leftmost.</param>
/// <param name="Result">Id of the token that they become.</param>
internal readonly record struct BytePairMerge(int Left, int Right, int Rank, int Result);
