namespace Wisca.Architectures;

/// <summary>A norm of a model.</summary>
/// <param name="Space">Its name, unique in the model: what those that read behind it (or write into it) have as their space.</param>
/// <param name="Layer">The layer; null outside of the layers.</param>
/// <param name="Form">What it computes.</param>
/// <param name="Reads">The space that it reads; null where its name is that.</param>
/// <param name="Writes">The space that it writes; null where its name is that.</param>
/// <param name="Gain">The full name of its gain; null where none is stored.</param>
/// <param name="Bias">The full name of its bias; null where none is stored.</param>
public sealed record ModelNorm(string Space, int? Layer, NormForm Form, string? Reads, string? Writes, string? Gain, string? Bias)
{
    /// <summary>Number of the gain's elements; 0 where none is stored.</summary>
    public int GainLength { get; init; }

    /// <summary>Number of rows of a gain that has one for each head; 0 for a vector.</summary>
    public int GainRows { get; init; }
}
