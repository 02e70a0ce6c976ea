namespace Wisca.Tests.Architectures;

/// <summary>Which channels RoPE rotates together.</summary>
internal enum PairKind
{
    None,
    Half,
    Interleaved,
}
