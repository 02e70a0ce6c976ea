namespace Wisca.Training.Tests.Logging;

/// <summary>A clock that stands still.</summary>
/// <param name="seconds">Seconds since 1970.</param>
internal sealed class FixedClock(double seconds) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddSeconds(seconds);
}
