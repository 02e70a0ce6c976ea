namespace Wisca.Training.Checkpointing;

/// <summary>A small file that names a checkpoint: <c>latest.json</c> and <c>best.json</c>.</summary>
/// <param name="Step">The checkpoint's step.</param>
/// <param name="Loss">Its held-out loss; null where it was not evaluated.</param>
internal sealed record CheckpointPointer(long Step, double? Loss);
