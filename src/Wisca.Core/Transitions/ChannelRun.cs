namespace Wisca.Transitions;

/// <summary>Consecutive indices along an axis of a tensor that belong to consecutive channels of an exchange.</summary>
/// <param name="Start">First index along the tensor's axis.</param>
/// <param name="Channel">The channel of the first index.</param>
/// <param name="Count">Number of indices.</param>
public readonly record struct ChannelRun(int Start, int Channel, int Count);
