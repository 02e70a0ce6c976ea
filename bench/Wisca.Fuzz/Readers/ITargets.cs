namespace Wisca.Fuzz.Readers;

/// <summary>Readers of a kind, with the files that they need.</summary>
internal interface ITargets : IDisposable
{
    IReadOnlyList<Target> All { get; }
}
