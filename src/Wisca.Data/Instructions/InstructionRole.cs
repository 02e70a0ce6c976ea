namespace Wisca.Data.Instructions;

/// <summary>Who says a message.</summary>
public enum InstructionRole
{
    /// <summary>What holds for the whole conversation.</summary>
    System,

    /// <summary>Who asks.</summary>
    User,

    /// <summary>Who answers: what is trained on.</summary>
    Assistant,

    /// <summary>A tool that was called: what it gave.</summary>
    Tool,
}
