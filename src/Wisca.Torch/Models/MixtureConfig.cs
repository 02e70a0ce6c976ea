namespace Wisca.Models;

/// <summary>A mixture of experts.</summary>
/// <param name="Experts">Number of experts in a layer.</param>
/// <param name="ExpertsPerToken">
/// How many of them a token goes through: those of the largest router probability, weighted by it, the weights normalised to sum to one.
/// </param>
public sealed record MixtureConfig(int Experts, int ExpertsPerToken);
