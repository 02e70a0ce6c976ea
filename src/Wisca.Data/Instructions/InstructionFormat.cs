namespace Wisca.Data.Instructions;

/// <summary>How a file holds its examples. Each is a JSON object: an item of one array, or a line.</summary>
public enum InstructionFormat
{
    /// <summary>Told by the keys of the first example.</summary>
    Auto,

    /// <summary><c>{"instruction": ..., "input": ..., "output": ...}</c>; the input may be missing or empty.</summary>
    Alpaca,

    /// <summary><c>{"prompt": ..., "completion": ...}</c>, by these keys or others.</summary>
    Completion,

    /// <summary><c>{"messages": [{"role": ..., "content": ...}, ...]}</c>.</summary>
    Chat,
}
