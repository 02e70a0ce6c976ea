namespace Wisca.Data.Tokenizers.Models;

/// <summary>What turns the pieces of a text, as the pre-tokenizers leave them, into tokens.</summary>
internal interface IPieceModel
{
    /// <summary>An encoder that one thread works with; it keeps its memory from piece to piece.</summary>
    IPieceEncoder CreateEncoder();
}
