namespace Wisca.Data.Instructions;

/// <summary>A message of a conversation.</summary>
/// <param name="Role">Who says it.</param>
/// <param name="Content">What is said.</param>
public sealed record InstructionMessage(InstructionRole Role, string Content)
{
    /// <summary>What an instruction is about, where the data keeps the two apart (Alpaca's <c>input</c>); empty otherwise.</summary>
    public string Input { get; init; } = "";

    /// <summary>Content and input in one, for templates that do not keep them apart.</summary>
    internal string Whole => Input.Length == 0 ? Content : $"{Content}\n\n{Input}";
}
