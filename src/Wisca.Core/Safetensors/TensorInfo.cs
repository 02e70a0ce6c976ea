using System.Collections.Immutable;

namespace Wisca.Safetensors;

/// <summary>One tensor as a safetensors header declares it.</summary>
/// <param name="Name">The tensor's name.</param>
/// <param name="Dtype">The element type.</param>
/// <param name="Shape">The dimensions, row-major; empty for a scalar.</param>
/// <param name="Begin">First byte, counted from the start of the data section (not of the file).</param>
/// <param name="End">One past the last byte, counted likewise.</param>
public sealed record TensorInfo(string Name, Dtype Dtype, ImmutableArray<long> Shape, long Begin, long End)
{
    /// <summary>Length in bytes.</summary>
    public long ByteLength => End - Begin;

    /// <summary>Number of elements.</summary>
    public long ElementCount => Shape.Aggregate(1L, (product, dimension) => product * dimension);

    /// <summary>The shape as people write it: <c>[4096, 1024]</c>.</summary>
    public string ShapeText => $"[{string.Join(", ", Shape)}]";
}
