namespace Wisca.Torch.Lora;

/// <summary>How much of a model an adapter trains.</summary>
/// <param name="Trainable">Number of trained elements.</param>
/// <param name="Total">Number of elements of the model and the adapter together.</param>
/// <param name="Modules">Number of modules with factors.</param>
/// <param name="SavedTensors">Number of tensors of the model that are trained whole.</param>
public sealed record LoraSummary(long Trainable, long Total, int Modules, int SavedTensors)
{
    /// <summary>Trained share of all elements.</summary>
    public double Share => (double)Trainable / Total;
}
