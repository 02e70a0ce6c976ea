namespace Wisca.Library.Documents;

/// <summary>A tensor, wherever it is.</summary>
/// <param name="Name">Its name, as a checkpoint has it.</param>
/// <param name="Shape">Its shape, of the whole tensor where it is sharded.</param>
/// <param name="Dtype">The type of its elements, as safetensors names it: <c>F32</c>, <c>BF16</c>.</param>
internal sealed record TensorDescription(string Name, long[] Shape, string Dtype);
