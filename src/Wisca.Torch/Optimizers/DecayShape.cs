namespace Wisca.Torch.Optimizers;

/// <summary>How a learning rate falls, from 1 at p = 0 to 0 at p = 1.</summary>
public enum DecayShape
{
    /// <summary>1 - p.</summary>
    Linear,

    /// <summary>(1 + cos(pi p)) / 2.</summary>
    Cosine,

    /// <summary>1 - sqrt(p).</summary>
    OneMinusSqrt,
}
