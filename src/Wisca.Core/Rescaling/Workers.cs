using System.Collections.Concurrent;

namespace Wisca.Rescaling;

/// <summary>Runs jobs on a few threads in the given order, and stops at the first failure.</summary>
internal static class Workers
{
    public static void Run<T>(IReadOnlyList<T> jobs, int threads, Action<T> run, CancellationToken cancellation)
    {
        try
        {
            // Without buffering the threads take the next job in order, so that files are read and written front to back.
            var ordered = Partitioner.Create((IEnumerable<T>)jobs, EnumerablePartitionerOptions.NoBuffering);
            Parallel.ForEach(ordered, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation }, run);
        }
        catch (AggregateException exception)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(
                exception.InnerExceptions.OfType<WiscaException>().FirstOrDefault() ?? exception.InnerExceptions[0]);
        }
    }
}
