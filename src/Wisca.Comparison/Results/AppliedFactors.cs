using Wisca.Attention;

namespace Wisca.Comparison.Results;

/// <summary>What a transition did to one layer, or a balancing to an adapter.</summary>
/// <param name="Step">Number of steps before it.</param>
/// <param name="Name">The name of the <see cref="TransitionKind"/>.</param>
/// <param name="Layer">The layer, from 0; 0 for an adapter, which counts as one.</param>
/// <param name="Groups">Number of groups of channels with a factor of their own; of an adapter, of its modules.</param>
/// <param name="Mean">Their geometric mean, on the side of queries and values, or of B.</param>
/// <param name="Least">The least factor.</param>
/// <param name="Greatest">The greatest factor.</param>
public sealed record AppliedFactors(long Step, string Name, int Layer, int Groups, double Mean, double Least, double Greatest);
