
namespace Wisca.Tests.Torch;

/// <summary>All tests that run torch code, one after the other:
/// threads, default types and statistics of libtorch are the process's.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class TorchCollection : ICollectionFixture<SingleThread>
{
    public const string Name = "torch";
}
