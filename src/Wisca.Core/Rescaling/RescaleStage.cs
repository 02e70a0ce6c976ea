namespace Wisca.Rescaling;

/// <summary>What is being done.</summary>
public enum RescaleStage
{
    /// <summary>The tensors that take part are measured.</summary>
    Measuring,

    /// <summary>The new checkpoint is written.</summary>
    Writing,

    /// <summary>What was written is read back and measured.</summary>
    Checking,
}
