namespace Wisca.Transitions;

/// <summary>Names a group of channels that share one factor.</summary>
/// <param name="KvHead">The key/value head; null where all heads share the factor, or there are none.</param>
/// <param name="Channel">
/// The channel within the head (or the hidden channel, or the norm's), or the first of a rotary pair; null where all share the factor.
/// </param>
public readonly record struct GroupLabel(int? KvHead, int? Channel)
{
    /// <summary>The expert of a stack; null where there is none.</summary>
    public int? Expert { get; init; }
}
