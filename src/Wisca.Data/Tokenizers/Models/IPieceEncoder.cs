namespace Wisca.Data.Tokenizers.Models;

/// <summary>A model at work on the pieces of one text.</summary>
internal interface IPieceEncoder
{
    /// <summary>Adds the tokens of one piece, which is not empty.</summary>
    void Encode(ReadOnlySpan<char> piece, List<int> output);
}
