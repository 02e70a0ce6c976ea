namespace Wisca.Training.Configuration;

/// <summary>What a fine-tuning trains.</summary>
public enum AdapterKind
{
    /// <summary>A LoRA adapter; the base is frozen.</summary>
    Lora,

    /// <summary>No adapter: the whole model.</summary>
    None,
}
