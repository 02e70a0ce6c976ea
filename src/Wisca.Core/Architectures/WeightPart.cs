namespace Wisca.Architectures;

/// <summary>What of a weight a tensor is.</summary>
internal enum WeightPart
{
    /// <summary>The matrix, or the gain of a norm.</summary>
    Matrix,

    /// <summary>The bias.</summary>
    Bias,

    /// <summary>Something else that belongs to it: scales, packed values, a part of an adapter.</summary>
    Packed,
}
