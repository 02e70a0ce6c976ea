namespace Wisca.Torch.Models;

/// <summary>Another standard deviation for some weights.</summary>
/// <param name="Pattern">Names of parameters, whole, with <c>*</c> for any characters: <c>*.o_proj.weight</c>.</param>
/// <param name="StandardDeviation">Of normal numbers around 0; 0 for zeros.</param>
public sealed record InitializationOverride(string Pattern, double StandardDeviation);
