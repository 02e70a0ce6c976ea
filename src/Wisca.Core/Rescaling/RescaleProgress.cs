namespace Wisca.Rescaling;

/// <summary>How far a rescaling is.</summary>
/// <param name="Stage">What is being done.</param>
/// <param name="Done">Bytes done in this stage.</param>
/// <param name="Total">Bytes to do in this stage.</param>
public readonly record struct RescaleProgress(RescaleStage Stage, long Done, long Total);
