namespace Wisca.Data.Tokenizers.PreTokenizers;

/// <summary>One step of the way from normalized text to the pieces that the model merges within.</summary>
internal interface IPreTokenizer
{
    /// <summary>Splits or rewrites one piece.</summary>
    /// <param name="piece">The piece, not empty.</param>
    /// <param name="atStart">Whether the piece begins where the whole text does.</param>
    /// <param name="output">Receives the new pieces.</param>
    void Apply(ReadOnlySpan<char> piece, bool atStart, PieceBuffer output);
}
