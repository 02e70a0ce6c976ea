namespace Wisca.Architectures;

/// <summary>Model types that are known, and of which nothing is moved.</summary>
/// <param name="ModelTypes">Values of <c>model_type</c>.</param>
/// <param name="Reason">Why, for people.</param>
public sealed record RefusedArchitecture(IReadOnlyList<string> ModelTypes, string Reason);
