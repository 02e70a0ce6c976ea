namespace Wisca.Transitions;

/// <summary>Names a group of channels that share one factor.</summary>
/// <param name="KvHead">The key/value head; null where all heads share the factor.</param>
/// <param name="Channel">
/// The channel within the head, or the first of a rotary pair; null where all channels of the head share the factor.
/// </param>
public readonly record struct GroupLabel(int? KvHead, int? Channel);
