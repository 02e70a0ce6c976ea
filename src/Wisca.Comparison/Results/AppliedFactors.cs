namespace Wisca.Comparison;

/// <summary>What a transition did to one layer.</summary>
/// <param name="Step">Number of steps before it.</param>
/// <param name="Name">qk or vo.</param>
/// <param name="Layer">The layer, from 0.</param>
/// <param name="Groups">Number of groups of channels with a factor of their own.</param>
/// <param name="Mean">Their geometric mean, on the side of queries and values.</param>
/// <param name="Least">The least factor.</param>
/// <param name="Greatest">The greatest factor.</param>
public sealed record AppliedFactors(long Step, string Name, int Layer, int Groups, double Mean, double Least, double Greatest);
