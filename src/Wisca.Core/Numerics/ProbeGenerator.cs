namespace Wisca.Numerics;

/// <summary>Standard normal numbers from SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): the same on every machine and runtime.</summary>
public static class ProbeGenerator
{
    /// <summary>64 uniform bits; moves the state on.</summary>
    /// <param name="state">The generator's state: at first the seed.</param>
    public static ulong Next(ref ulong state)
    {
        ulong z = state += 0x9E37_79B9_7F4A_7C15;
        z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9;
        z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB;
        return z ^ (z >> 31);
    }

    /// <summary>Uniform in (0, 1].</summary>
    public static double Uniform(ref ulong state) => ((Next(ref state) >> 11) + 1) * (1.0 / (1UL << 53));

    /// <summary>Standard normal, by Box and Muller.</summary>
    public static double Normal(ref ulong state) =>
        Math.Sqrt(-2 * Math.Log(Uniform(ref state))) * Math.Cos(2 * Math.PI * Uniform(ref state));
}
