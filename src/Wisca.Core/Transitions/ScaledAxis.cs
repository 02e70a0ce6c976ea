using System.Collections.Immutable;

namespace Wisca.Transitions;

/// <summary>What one tensor takes part with in an exchange.</summary>
/// <param name="Tensor">The tensor's full name.</param>
/// <param name="Axis">The axis along which the channels lie: 0 for rows (and the only axis of a bias), 1 for columns.</param>
/// <param name="Exponent">+1 where the tensor is multiplied by the factor s, -1 where it is divided.</param>
/// <param name="IsBias">True for a bias: it follows its rows, but does not count in the norms.</param>
/// <param name="Runs">Which indices belong to which channels.</param>
public sealed record ScaledAxis(string Tensor, int Axis, int Exponent, bool IsBias, ImmutableArray<ChannelRun> Runs);
