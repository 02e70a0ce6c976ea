namespace Wisca.Data.Instructions;

/// <summary>A message of a conversation.</summary>
/// <param name="Role">Who says it.</param>
/// <param name="Content">What is said.</param>
public sealed record InstructionMessage(InstructionRole Role, string Content)
{
    /// <summary>What an instruction is about, where the data keeps the two apart (Alpaca's <c>input</c>); empty otherwise.</summary>
    public string Input { get; init; } = "";

    /// <summary>Whether an answer is trained on; false where the data gives it a weight of 0.</summary>
    public bool Trains { get; init; } = true;

    /// <summary>What was thought before an answer; null where the data has none of it.</summary>
    public string? Reasoning { get; init; }

    /// <summary>The tools that an answer calls, in order.</summary>
    public IReadOnlyList<InstructionToolCall> ToolCalls { get; init; } = [];

    /// <summary>Content and input in one, for templates that do not keep them apart.</summary>
    internal string Whole => Input.Length == 0 ? Content : $"{Content}\n\n{Input}";

    /// <summary>True for an answer that says nothing and does nothing.</summary>
    internal bool IsEmptyAnswer => Role == InstructionRole.Assistant && ToolCalls.Count == 0 && string.IsNullOrWhiteSpace(Content);
}
