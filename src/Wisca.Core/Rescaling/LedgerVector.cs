using System.Buffers.Text;
using System.Runtime.InteropServices;

namespace Wisca.Rescaling;

/// <summary>A vector whose elements were multiplied by a factor each.</summary>
/// <param name="Tensor">The tensor's name.</param>
/// <param name="Factors">Base64 of little-endian float64 factors, one for each element.</param>
public sealed record LedgerVector(string Tensor, string Factors)
{
    /// <summary>Encodes factors as they stand.</summary>
    /// <param name="tensor">The tensor's name.</param>
    /// <param name="factors">One factor for each element.</param>
    public static LedgerVector Of(string tensor, double[] factors) =>
        new(tensor, Convert.ToBase64String(MemoryMarshal.AsBytes<double>(factors)));

    internal double[] Decode() => MemoryMarshal.Cast<byte, double>(Convert.FromBase64String(Factors)).ToArray();

    internal string? FindFault() =>
        !Base64.IsValid(Factors, out int length)
        || length % sizeof(double) != 0
        || Decode().Any(factor => !(factor > 0) || !double.IsFinite(factor) || !double.IsFinite(1 / factor))
            ? $"the factors of '{Tensor}' are not base64 of positive numbers"
            : null;
}
