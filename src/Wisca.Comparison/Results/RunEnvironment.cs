namespace Wisca.Comparison.Results;

/// <summary>What computed a run.</summary>
/// <param name="Versions">Versions by name: wisca, torchsharp, libtorch, dotnet.</param>
/// <param name="OperatingSystem">The system.</param>
/// <param name="Processor">The processor's name.</param>
/// <param name="Cores">Number of cores that the process could use.</param>
/// <param name="Threads">Number of threads of the run.</param>
/// <param name="Finished">When it ended.</param>
public sealed record RunEnvironment(
    IReadOnlyDictionary<string, string> Versions, string OperatingSystem, string Processor, int Cores, int Threads,
    DateTimeOffset Finished);
