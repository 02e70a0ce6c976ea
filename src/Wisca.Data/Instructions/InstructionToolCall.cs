namespace Wisca.Data.Instructions;

/// <summary>A tool that an answer calls.</summary>
/// <param name="Name">The tool's name.</param>
/// <param name="Arguments">What it is called with, a JSON object as text.</param>
public sealed record InstructionToolCall(string Name, string Arguments);
