namespace Wisca.Data.Instructions;

/// <summary>How a file holds its examples. Each is a JSON object (an item of one array, or a line) or a row of Parquet.</summary>
public enum InstructionFormat
{
    /// <summary>Told by the keys of the first example.</summary>
    Auto,

    /// <summary>
    /// <c>{"instruction": ..., "input": ..., "output": ...}</c>, or Dolly's <c>context</c> and <c>response</c>; the input may be missing.
    /// </summary>
    Alpaca,

    /// <summary><c>{"prompt": ..., "completion": ...}</c>, by these keys or others.</summary>
    Completion,

    /// <summary>
    /// <c>{"messages": [{"role": ..., "content": ...}, ...]}</c>; ShareGPT's <c>{"conversations": [{"from": ..., "value": ...}, ...]}</c>;
    /// or prompt and completion that are lists of messages.
    /// </summary>
    Chat,
}
