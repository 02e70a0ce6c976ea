namespace Wisca.Architectures;

/// <summary>Which layers rotate: a list in the configuration with 1 for RoPE and 0 for none, or every n-th layer without.</summary>
/// <param name="Key">The key of the list, one number a layer.</param>
/// <param name="IntervalKey">The key of n, where the list is absent.</param>
/// <param name="IntervalDefault">n where both are absent: layers n-1, 2n-1, ... do not rotate.</param>
public sealed record RopeLayersTable(string Key, string IntervalKey, int IntervalDefault);
