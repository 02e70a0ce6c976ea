namespace Wisca.Core.Tests.Architectures;

/// <summary>Which channels RoPE rotates together.</summary>
public enum PairKind
{
    None,
    Half,
    Interleaved,
}
