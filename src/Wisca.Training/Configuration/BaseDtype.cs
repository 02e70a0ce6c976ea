namespace Wisca.Training.Configuration;

/// <summary>What the weights of a base are held in.</summary>
public enum BaseDtype
{
    /// <summary>float32.</summary>
    Fp32,

    /// <summary>As they are stored.</summary>
    Stored,
}
