namespace Wisca.Architectures;

/// <summary>A whole number that a configuration gives: the first of some keys that is there, or what stands in for it.</summary>
/// <param name="Keys">Dotted paths into <c>config.json</c>, tried in order.</param>
/// <param name="Default">
/// A number, <c>heads</c>, <c>head_dim</c> or <c>hidden_size / heads</c>; without it the key is required.
/// </param>
public sealed record NumberTable(IReadOnlyList<string> Keys, string? Default = null);
