namespace Wisca.Fuzz;

/// <summary>A reader under test.</summary>
/// <param name="Name">Its name in the report.</param>
/// <param name="Share">How many cases it gets, in proportion to the other targets.</param>
/// <param name="Create">Makes an input.</param>
/// <param name="Read">Reads it; throws WiscaException to refuse it.</param>
/// <param name="Expected">Whether it is valid by rules written independently; null where there are none.</param>
internal sealed record Target(string Name, int Share, Func<Random, byte[]> Create, Action<byte[]> Read, Func<byte[], bool>? Expected)
{
    public long Cases { get; set; }

    public long Json { get; set; }

    public long Accepted { get; set; }

    /// <summary>The part of an input that ought to be JSON.</summary>
    public Func<byte[], ReadOnlyMemory<byte>> JsonOf { get; init; } = input => input;
}
