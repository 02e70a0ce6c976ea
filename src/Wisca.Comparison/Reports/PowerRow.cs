namespace Wisca.Comparison.Reports;

/// <summary>What a number of seeds can show.</summary>
/// <param name="Seeds">The number.</param>
/// <param name="Detectable">The change of perplexity in percent, downwards, that one comparison shows with the stated power.</param>
/// <param name="DetectableOfMany">The same where it is the first of several that Holm's adjustment is for.</param>
/// <param name="Power">The power against the stated effect, as the first of several.</param>
/// <param name="CautiousPower">The same where scatter is as large as its upper limit.</param>
public sealed record PowerRow(int Seeds, double Detectable, double DetectableOfMany, double Power, double CautiousPower);
