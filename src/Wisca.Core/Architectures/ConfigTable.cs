namespace Wisca.Architectures;

/// <summary>Where the sizes of a model are in its configuration.</summary>
/// <param name="Layers">Number of layers.</param>
/// <param name="HiddenSize">Width of the residual stream.</param>
/// <param name="Heads">Number of query heads.</param>
/// <param name="HeadDim">Channels per head.</param>
public sealed record ConfigTable(NumberTable Layers, NumberTable HiddenSize, NumberTable Heads, NumberTable HeadDim)
{
    internal string? Check() =>
        Layers.Check("config.layers") ?? HiddenSize.Check("config.hidden_size") ?? Heads.Check("config.heads")
        ?? HeadDim.Check("config.head_dim", "hidden_size / heads");
}
