namespace Wisca.Torch.Kernels;

/// <summary>Spreads work over as many threads as libtorch's operators have.</summary>
internal static class Workers
{
    /// <summary>Does the parts 0 to count - 1, in any order and on any thread. What a part computes must not depend on either.</summary>
    public static void Run(int count, Action<int> part)
    {
        int threads = Math.Min(TorchRuntime.Threads, count);
        if (threads > 1)
        {
            Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = threads }, part);
            return;
        }

        for (int i = 0; i < count; i++) part(i);
    }

    /// <summary>Does rows 0 to count - 1 in runs of <paramref name="run"/> rows, the same ones on any number of threads.</summary>
    public static void Run(int count, int run, Action<int, int> rows) =>
        Run((count + run - 1) / run, part => rows(part * run, Math.Min(count, (part + 1) * run)));
}
