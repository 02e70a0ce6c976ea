namespace Wisca.Torch.Tests.Optimizers;

/// <summary>One thread for a class of tests whose tensors are too small to share:
/// idle threads that wait for each other would cost more than the work.</summary>
public sealed class OneThread : IDisposable
{
    private readonly int _threads = TorchRuntime.Threads;

    public OneThread() => TorchRuntime.Threads = 1;

    public void Dispose() => TorchRuntime.Threads = _threads;
}
