using Wisca.Checkpoints;

namespace Wisca.Adapters;

/// <summary>What a merge did.</summary>
/// <param name="Merged">Number of matrices that factors were added to.</param>
/// <param name="Replaced">Number of tensors that the adapter stored whole.</param>
/// <param name="WrittenBytes">Bytes of weights that were written.</param>
/// <param name="SideFiles">Which other files of the base went along, and which did not.</param>
public sealed record MergeResult(int Merged, int Replaced, long WrittenBytes, SideFiles SideFiles);
