
namespace Wisca.Cli.Tests;

/// <summary>libtorch has one state for the whole process (threads, random numbers): what runs it does not run in parallel.</summary>
[CollectionDefinition(nameof(TorchCollection), DisableParallelization = true)]
public sealed class TorchCollection;
