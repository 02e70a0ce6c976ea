namespace Wisca.Evaluation.Flatness;

/// <summary>How far a measurement is.</summary>
/// <param name="Stage">What is being measured.</param>
/// <param name="Done">Number of its parts that are done.</param>
/// <param name="Most">How many there are at most; it may end earlier.</param>
public readonly record struct FlatnessProgress(string Stage, int Done, int Most);
