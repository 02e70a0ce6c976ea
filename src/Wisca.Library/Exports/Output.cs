using Wisca.Library.Documents;

namespace Wisca.Library.Exports;

/// <summary>The caller's memory.</summary>
internal static unsafe class Output
{
    /// <summary>Sees that there is a place to write to.</summary>
    /// <exception cref="RequestException">There is none.</exception>
    public static void Check(void* place, string what)
    {
        if (place is null) throw new RequestException($"{what} is a null pointer");
    }

    /// <summary>The caller's numbers.</summary>
    /// <exception cref="RequestException">They are not there, or more than an array holds.</exception>
    public static Span<double> Numbers(double* numbers, nuint count, string what)
    {
        if (count == 0) return [];
        Check(numbers, what);
        return count <= (nuint)Array.MaxLength ? new Span<double>(numbers, (int)count) : throw new RequestException($"{what}: too many");
    }
}
