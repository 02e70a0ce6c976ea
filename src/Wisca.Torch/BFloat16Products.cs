using System.Diagnostics;
using System.Runtime.Intrinsics.X86;
using static TorchSharp.torch;

namespace Wisca.Torch;

/// <summary>
/// How products of bfloat16 matrices are computed on this CPU. Native ones need AVX-512; without it libtorch is some hundred times slower
/// than in float32. With AMX they are far faster. In between it depends: the instructions of AVX-512 alone multiply twice as many numbers
/// as those of float32 on some processors, and half as many on others, so that one product of each is timed, once a process.
/// </summary>
/// <param name="AreNative">True for libtorch's own products; false where rounded operands are multiplied in float32.</param>
/// <param name="Reason">Why, in a few words.</param>
internal sealed record BFloat16Products(bool AreNative, string Reason)
{
    /// <summary>The variable that decides instead: <c>native</c> or <c>float32</c>.</summary>
    public const string Variable = "WISCA_BFLOAT16";

    // Large enough to be bound by multiplication, small enough that some of them are not disturbed by what else runs.
    private const int Size = 384, Tries = 8;

    private static readonly Lazy<BFloat16Products> OfThisProcessor = new(() => Choose(
        Environment.GetEnvironmentVariable(Variable),
        !X86Base.IsSupported || (Avx512BW.VL.IsSupported && Avx512DQ.VL.IsSupported),
        !X86Base.IsSupported || HasAmx(),
        Time));

    /// <summary>What is done here.</summary>
    public static BFloat16Products Here => OfThisProcessor.Value;

    /// <summary>Decides.</summary>
    /// <param name="setting">What the user said; null or empty for nothing.</param>
    /// <param name="vectors">Whether libtorch has vector code for them here.</param>
    /// <param name="tiles">Whether there is no need to ask.</param>
    /// <param name="time">Seconds of a native product and of one in float32.</param>
    /// <exception cref="WiscaException">The setting is neither of the two.</exception>
    public static BFloat16Products Choose(string? setting, bool vectors, bool tiles, Func<(double Native, double Single)> time)
    {
        if (!string.IsNullOrEmpty(setting))
        {
            return setting is "native" or "float32"
                ? new BFloat16Products(setting == "native", $"{Variable} says so")
                : throw new WiscaException($"{Variable} is '{setting}', expected native or float32", "leave it unset to have them timed");
        }

        if (!vectors) return new BFloat16Products(false, "no AVX-512");
        if (tiles) return new BFloat16Products(true, X86Base.IsSupported ? "AMX" : "not an x86 processor");
        var (native, single) = time();
        return native < single ? new BFloat16Products(true, "timed: faster than float32")
            : new BFloat16Products(false, "timed: slower than float32");
    }

    private static bool HasAmx()
    {
        const int amxOfBFloat16 = 1 << 22;
        return X86Base.CpuId(0, 0).Eax >= 7 && (X86Base.CpuId(7, 0).Edx & amxOfBFloat16) != 0;
    }

    /// <summary>The least of a few tries of each, in turn; the conversions that products in float32 need are part of them.</summary>
    private static (double Native, double Single) Time()
    {
        using var scope = NewDisposeScope();
        using var ungraded = no_grad();
        Tensor left = zeros([Size, Size], ScalarType.BFloat16), right = zeros([Size, Size], ScalarType.BFloat16);
        double native = double.PositiveInfinity, single = double.PositiveInfinity;
        for (int i = 0; i < Tries; i++)
        {
            native = Math.Min(native, Seconds(() => left.mm(right).Dispose()));
            single = Math.Min(single, Seconds(() =>
            {
                using Tensor a = left.to(ScalarType.Float32), b = right.to(ScalarType.Float32), product = a.mm(b);
                product.to(ScalarType.BFloat16).Dispose();
            }));
        }

        return (native, single);

        static double Seconds(Action action)
        {
            long began = Stopwatch.GetTimestamp();
            action();
            return Stopwatch.GetElapsedTime(began).TotalSeconds;
        }
    }
}
