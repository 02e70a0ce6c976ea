namespace Wisca.Data.Instructions;

/// <summary>A stretch of an example's text.</summary>
/// <param name="Text">The text.</param>
/// <param name="Counts">True for an answer: its tokens are trained on.</param>
internal sealed record InstructionPiece(string Text, bool Counts)
{
    /// <summary>True where BOS comes before it, in a template that begins each turn anew.</summary>
    public bool Begins { get; init; }
}
