namespace Wisca.Architectures;

/// <summary>The share of a head's channels that RoPE rotates.</summary>
/// <param name="Keys">Dotted paths into <c>config.json</c>, tried in order.</param>
/// <param name="Default">The value where none of the keys is there.</param>
public sealed record FactorTable(IReadOnlyList<string> Keys, double Default);
