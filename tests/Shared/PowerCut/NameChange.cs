namespace Wisca.Tests.PowerCut;

/// <summary>A change of names that has not reached the disk: entries that appear, go, or change places, all in one step.</summary>
/// <param name="Sets">Names that lead elsewhere, or (with null) nowhere, afterwards.</param>
/// <param name="DurableWith">The folder whose flush brings it to the disk.</param>
internal sealed record NameChange(
    IReadOnlyList<(SimulatedEntry Folder, string Name, SimulatedEntry? Entry)> Sets, SimulatedEntry DurableWith);
