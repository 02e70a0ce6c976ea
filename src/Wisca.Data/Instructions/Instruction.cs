namespace Wisca.Data.Instructions;

/// <summary>An example to train on: a conversation with at least one answer.</summary>
/// <param name="Messages">A system message or none, and then questions and answers in turn.</param>
/// <param name="Place">Where it was read, for messages: the file and the line or item.</param>
public sealed record Instruction(IReadOnlyList<InstructionMessage> Messages, string Place)
{
    /// <summary>The tools that may be called, each described by a JSON object as text.</summary>
    public IReadOnlyList<string> Tools { get; init; } = [];
}
