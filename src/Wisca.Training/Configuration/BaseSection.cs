using Wisca.Settings;

namespace Wisca.Training.Configuration;

#pragma warning disable CS1591 // The settings carry their documentation where --print-config finds it too.

/// <summary>The model that is fine-tuned.</summary>
public sealed record BaseSection
{
    [Setting("The model's folder. It must be given.")]
    public string? Model { get; init; }

    [Setting("Folder of another tokenizer; none for the model's own.")]
    public string? Tokenizer { get; init; }

    [Setting(
        "What its weights are held in: fp32, or stored for the type they are stored in, such as bfloat16. An adapter's are fp32 in any "
        + "case.")]
    public BaseDtype Dtype { get; init; } = BaseDtype.Fp32;
}
