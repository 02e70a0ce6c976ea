using Wisca.Checkpoints;

namespace Wisca.Rescaling;

/// <summary>A tensor that a written model has and the one that was read has not.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Model">A tensor of its type and shape, whose rows the edit is given.</param>
/// <param name="Edit">What the rows become.</param>
internal sealed record AppendedTensor(string Name, StoredTensor Model, TensorEdit Edit);
