namespace Wisca.Rescaling;

/// <summary>Digests (XXH128, hexadecimal) of a tensor's bytes on both sides of a move.</summary>
/// <param name="Before">Of the bytes that were read; for a move in training, of those that undoing it gives.</param>
/// <param name="After">Of the bytes that were written.</param>
public sealed record TensorDigests(string Before, string After);
