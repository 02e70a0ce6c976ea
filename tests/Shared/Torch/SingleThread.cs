using Wisca.Torch;

namespace Wisca.Tests.Torch;

/// <summary>Models as small as the tests' are slower on several threads than on one,
/// and much slower where other programs want the processors too.</summary>
public sealed class SingleThread
{
    public SingleThread() => TorchRuntime.Threads = 1;
}
