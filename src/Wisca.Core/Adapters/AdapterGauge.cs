namespace Wisca.Adapters;

/// <summary>For which of two equivalent bases an adapter is expressed.</summary>
public enum AdapterGauge
{
    /// <summary>The base as it was before it was rescaled: the public checkpoint.</summary>
    Original,

    /// <summary>The base as it was rescaled, or as a training with transitions has left it.</summary>
    Rescaled,
}
