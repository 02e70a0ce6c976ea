namespace Wisca.Rescaling;

/// <summary>How far a rescaling is.</summary>
/// <param name="Done">Bytes measured and written so far.</param>
/// <param name="Total">Bytes to measure and to write.</param>
public readonly record struct RescaleProgress(long Done, long Total);
