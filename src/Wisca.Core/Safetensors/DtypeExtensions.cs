namespace Wisca.Safetensors;

/// <summary>Facts about element types.</summary>
public static class DtypeExtensions
{
    // Enum.TryParse would take more than names: numbers, lists ("BOOL,F32") and white space.
    private static readonly Dictionary<string, Dtype> ByName = Enum.GetValues<Dtype>()
        .ToDictionary(dtype => dtype.ToString(), StringComparer.Ordinal);

    /// <summary>Size of one element in bits; less than 8 for the packed types.</summary>
    public static int Bits(this Dtype dtype) => dtype switch
    {
        Dtype.F4 => 4,
        Dtype.F6_E2M3 or Dtype.F6_E3M2 => 6,
        Dtype.BOOL or Dtype.U8 or Dtype.I8 or Dtype.F8_E5M2 or Dtype.F8_E4M3 or Dtype.F8_E8M0 => 8,
        Dtype.I16 or Dtype.U16 or Dtype.F16 or Dtype.BF16 => 16,
        Dtype.I32 or Dtype.U32 or Dtype.F32 => 32,
        Dtype.C64 or Dtype.F64 or Dtype.I64 or Dtype.U64 => 64,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, null),
    };

    /// <summary>True for the types whose elements a transition can multiply: F16, BF16, F32 and F64.</summary>
    public static bool IsRescalable(this Dtype dtype) => dtype is Dtype.F16 or Dtype.BF16 or Dtype.F32 or Dtype.F64;

    /// <summary>
    /// Significand bits p, the implicit one included: 11 (F16), 8 (BF16), 24 (F32), 53 (F64). One rounding to nearest changes a
    /// normal number by at most 2^-p relative.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The type is not rescalable.</exception>
    public static int SignificandBits(this Dtype dtype) => dtype switch
    {
        Dtype.F16 => 11,
        Dtype.BF16 => 8,
        Dtype.F32 => 24,
        Dtype.F64 => 53,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "not a floating-point type that can be rescaled"),
    };

    internal static bool TryParse(string name, out Dtype dtype) => ByName.TryGetValue(name, out dtype);
}
