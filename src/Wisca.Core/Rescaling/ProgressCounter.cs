namespace Wisca.Rescaling;

/// <summary>Adds up the bytes that several threads have done, and passes the sum on.</summary>
internal sealed class ProgressCounter(IProgress<RescaleProgress>? progress, long total)
{
    private long _done;

    public void Add(long bytes) => progress?.Report(new RescaleProgress(Interlocked.Add(ref _done, bytes), total));
}
