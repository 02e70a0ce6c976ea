using Wisca.Settings;

namespace Wisca.Training.Configuration;

/// <summary>The model that is fine-tuned.</summary>
public sealed record BaseSection
{
    /// <summary>The model's folder. It must be given.</summary>
    [Setting("The model's folder. It must be given.")]
    public string? Model { get; init; }

    /// <summary>Folder of another tokenizer; none for the model's own.</summary>
    [Setting("Folder of another tokenizer; none for the model's own.")]
    public string? Tokenizer { get; init; }

    /// <summary>
    /// What its weights are held in: fp32, or stored for the type they are stored in, such as bfloat16. An adapter's are fp32 in any case.
    /// </summary>
    [Setting(
        "What its weights are held in: fp32, or stored for the type they are stored in, such as bfloat16. An adapter's are fp32 in any "
        + "case.")]
    public BaseDtype Dtype { get; init; } = BaseDtype.Fp32;
}
