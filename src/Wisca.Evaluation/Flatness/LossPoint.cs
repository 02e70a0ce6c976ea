namespace Wisca.Evaluation.Flatness;

/// <summary>The loss at a point.</summary>
/// <param name="X">How far along the first direction; between two checkpoints 0 is the first and 1 the second.</param>
/// <param name="Y">How far along the second direction; null on a line.</param>
/// <param name="Loss">The loss in nats; not finite where the function is not.</param>
public readonly record struct LossPoint(double X, double? Y, double Loss);
