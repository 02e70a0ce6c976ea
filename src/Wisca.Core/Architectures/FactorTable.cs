namespace Wisca.Architectures;

/// <summary>The share of a head's channels that RoPE rotates.</summary>
/// <param name="Keys">Dotted paths into <c>config.json</c>, tried in order.</param>
/// <param name="Default">The value where none of the keys is there.</param>
public sealed record FactorTable(IReadOnlyList<string> Keys, double Default)
{
    internal string? Check() =>
        Keys.Count == 0 || Keys.Any(string.IsNullOrEmpty) ? "rope.factor.keys is empty or has an empty key"
        : Default is > 0 and <= 1 ? null
        : "rope.factor.default must be above 0 and at most 1";
}
