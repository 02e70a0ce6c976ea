namespace Wisca.Architectures;

/// <summary>Indices along an axis of a weight that lie in a space of the model.</summary>
/// <param name="Tensor">The tensor's full name.</param>
/// <param name="Layer">The layer; null outside of the layers.</param>
/// <param name="Axis">The axis: 0 for rows (and the only axis of a bias), 1 for columns, 2 for the last of three.</param>
/// <param name="Space">
/// The space: <c>stream</c>, or a name that is unique in the model, of a norm (<see cref="ModelNorm.Space"/>) or of what lies between two
/// weights.
/// </param>
/// <param name="Writes">True where it is what the weight writes, false where it is what the weight reads.</param>
/// <param name="IsBias">True for a bias.</param>
/// <param name="Start">The first index.</param>
/// <param name="Count">The number of indices.</param>
public sealed record WeightAxis(string Tensor, int? Layer, int Axis, string Space, bool Writes, bool IsBias, int Start, int Count)
{
    /// <summary>Number of experts that the tensor's first axis counts; null where the tensor is no stack.</summary>
    public int? Experts { get; init; }

    /// <summary>Length of the whole axis.</summary>
    public int Length { get; init; } = Start + Count;
}
