namespace Wisca.Torch.Models;

/// <summary>How a norm measures its input.</summary>
public enum NormKind
{
    /// <summary>Divides by the root mean square (Zhang and Sennrich, NeurIPS 2019).</summary>
    RootMeanSquare,

    /// <summary>Takes off the mean and divides by the standard deviation (Ba, Kiros and Hinton, 2016).</summary>
    Layer,
}
