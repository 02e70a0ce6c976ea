namespace Wisca.Data.Instructions;

/// <summary>How examples are read.</summary>
public sealed record InstructionReaderOptions
{
    /// <summary>How files hold them.</summary>
    public InstructionFormat Format { get; init; }

    /// <summary>The key of the prompt.</summary>
    public string PromptKey { get; init; } = "prompt";

    /// <summary>The key of the completion.</summary>
    public string CompletionKey { get; init; } = "completion";

    /// <summary>True to leave out examples with an empty answer, and count them; by default they are errors.</summary>
    public bool DropsEmpty { get; init; }
}
