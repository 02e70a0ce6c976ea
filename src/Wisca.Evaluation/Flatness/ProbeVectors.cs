using Wisca.Numerics;
using static TorchSharp.torch;

namespace Wisca.Evaluation.Flatness;

/// <summary>Random vectors that are a pure function of seed, purpose and number:
/// the same on every machine and for any number of threads.</summary>
internal static class ProbeVectors
{
    public enum Purpose
    {
        Trace = 1,
        Lanczos = 2,
        Slice = 3,
        Ascent = 4,
    }

    /// <summary>+1 or -1 with equal probability, [dimension].</summary>
    public static Tensor Rademacher(ParameterSpace space, ulong seed, Purpose purpose, int index)
    {
        ulong state = State(seed, purpose, index), bits = 0;
        double[] values = new double[space.Dimension];
        for (long i = 0; i < values.LongLength; i++)
        {
            if (i % 64 == 0) bits = ProbeGenerator.Next(ref state);
            values[i] = (bits & 1) == 0 ? 1 : -1;
            bits >>= 1;
        }

        return Tensor(space, values);
    }

    /// <summary>Standard normal, [dimension].</summary>
    public static Tensor Normal(ParameterSpace space, ulong seed, Purpose purpose, int index)
    {
        ulong state = State(seed, purpose, index);
        double[] values = new double[space.Dimension];
        for (long i = 0; i < values.LongLength; i++) values[i] = ProbeGenerator.Normal(ref state);
        return Tensor(space, values);
    }

    private static ulong State(ulong seed, Purpose purpose, int index)
    {
        ulong state = ProbeGenerator.Next(ref seed) ^ (((ulong)purpose << 32) | (uint)index);
        return ProbeGenerator.Next(ref state);
    }

    private static Tensor Tensor(ParameterSpace space, double[] values)
    {
        using var scope = NewDisposeScope();
        return tensor(values).to(space.Dtype, space.Device).MoveToOuterDisposeScope();
    }
}
