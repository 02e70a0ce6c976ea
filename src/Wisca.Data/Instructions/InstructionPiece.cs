namespace Wisca.Data.Instructions;

/// <summary>A stretch of an example's text.</summary>
/// <param name="Text">The text.</param>
/// <param name="IsAnswer">True for an answer, which has an end of its own.</param>
internal sealed record InstructionPiece(string Text, bool IsAnswer)
{
    /// <summary>True where BOS comes before it, in a template that begins each turn anew.</summary>
    public bool Begins { get; init; }

    /// <summary>True for an answer whose tokens are trained on.</summary>
    public bool Counts { get; init; } = IsAnswer;

    /// <summary>A message's answer.</summary>
    public static InstructionPiece Answer(InstructionMessage message, string text) => new(text, true) { Counts = message.Trains };
}
