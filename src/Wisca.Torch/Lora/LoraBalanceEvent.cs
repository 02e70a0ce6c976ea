namespace Wisca.Lora;

/// <summary>One balancing of an adapter in training.</summary>
/// <param name="Step">After how many optimizer steps.</param>
/// <param name="Balanced">Number of modules whose factors were balanced.</param>
/// <param name="Skipped">Number of modules that were left alone, because a factor is zero.</param>
/// <param name="Clamped">Number of modules that only came nearer, because a factor was clamped.</param>
/// <param name="Elapsed">How long it took.</param>
public readonly record struct LoraBalanceEvent(long Step, int Balanced, int Skipped, int Clamped, TimeSpan Elapsed);
