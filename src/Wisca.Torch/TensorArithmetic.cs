using TorchSharp;
using static TorchSharp.torch;

namespace Wisca.Torch;

/// <summary>
/// What TorchSharp's operators compute, by the same calls of libtorch, with every number held while libtorch reads it. TorchSharp 0.107
/// makes a <see cref="Scalar"/> of each number (for a + b of tensors too: b's factor of 1), hands over its native part and forgets it. A
/// collection that another thread triggers then frees it under the call, which throws or computes with whatever lies there.
/// eng/BannedSymbols.txt keeps the operators out of src. A trailing underscore means in place, as in libtorch.
/// </summary>
public static class TensorArithmetic
{
    private static readonly Scalar One = 1.ToScalar(), Two = 2.ToScalar();

    /// <summary>x + y.</summary>
    public static Tensor Plus(this Tensor x, Tensor y) => x.add(y, One);

    /// <summary>x + number.</summary>
    public static Tensor Plus(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return x.add(scalar, One);
    }

    /// <summary>x + number; integers stay integers.</summary>
    public static Tensor Plus(this Tensor x, long number)
    {
        using var scalar = number.ToScalar();
        return x.add(scalar, One);
    }

    /// <summary>x += y, in place.</summary>
    public static Tensor Plus_(this Tensor x, Tensor y) => x.add_(y, One);

    /// <summary>x + factor * y.</summary>
    public static Tensor Plus_(this Tensor x, Tensor y, double factor)
    {
        using var scalar = factor.ToScalar();
        return x.add_(y, scalar);
    }

    /// <summary>x * number.</summary>
    public static Tensor Times(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return x.mul(scalar);
    }

    /// <summary>x * number; integers stay integers.</summary>
    public static Tensor Times(this Tensor x, long number)
    {
        using var scalar = number.ToScalar();
        return x.mul(scalar);
    }

    /// <summary>x *= number, in place.</summary>
    public static Tensor Times_(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return x.mul_(scalar);
    }

    /// <summary>x / number.</summary>
    public static Tensor Over(this Tensor x, double number)
    {
        using var scalar = number.ToScalar();
        return x.div(scalar);
    }

    /// <summary>x / number.</summary>
    public static Tensor Over(this Tensor x, long number)
    {
        using var scalar = number.ToScalar();
        return x.div(scalar);
    }

    /// <summary>The one number of a tensor.</summary>
    public static double AsDouble(this Tensor x)
    {
        using var scalar = x.ToScalar();
        return scalar.ToDouble();
    }

    /// <summary>The one integer of a tensor.</summary>
    public static long AsInt64(this Tensor x)
    {
        using var scalar = x.ToScalar();
        return scalar.ToInt64();
    }

    /// <summary>The one truth value of a tensor.</summary>
    public static bool AsBoolean(this Tensor x)
    {
        using var scalar = x.ToScalar();
        return scalar.ToBoolean();
    }

    /// <summary>x * x.</summary>
    public static Tensor Squared(this Tensor x) => x.pow(Two);

    /// <summary>limit * tanh(x / limit).</summary>
    internal static Tensor Capped(this Tensor x, double limit) => x.Over(limit).tanh().Times(limit);

    /// <summary>x, and -limit or limit where it lies beyond.</summary>
    internal static Tensor Clipped(this Tensor x, double limit)
    {
        using Scalar least = (-limit).ToScalar(), most = limit.ToScalar();
        return x.clamp(least, most);
    }

    /// <summary>Calls a function of TorchScript, whose arguments are tensors, lists of tensors and doubles.</summary>
    public static object Call(this jit.CompilationUnit unit, string name, params object[] arguments)
    {
        object[] held = Array.ConvertAll(arguments, argument => argument is double number ? number.ToScalar() : argument);
#pragma warning disable RS0030 // Numbers are scalars by now, and held.
        object result = unit.invoke(name, held);
#pragma warning restore RS0030
        foreach (object argument in held) GC.KeepAlive(argument);
        return result;
    }
}
