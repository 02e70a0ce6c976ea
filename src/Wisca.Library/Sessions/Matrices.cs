using System.Runtime.InteropServices;

namespace Wisca.Library.Sessions;

/// <summary>Square matrices as rows of numbers.</summary>
internal static class Matrices
{
    /// <summary>[size, size] of its rows.</summary>
    public static double[,] Read(ReadOnlySpan<double> rows, int size)
    {
        double[,] matrix = new double[size, size];
        rows.CopyTo(MemoryMarshal.CreateSpan(ref matrix[0, 0], matrix.Length));
        return matrix;
    }

    /// <summary>Writes a matrix's rows.</summary>
    public static void Write(double[,] matrix, Span<double> rows) =>
        MemoryMarshal.CreateReadOnlySpan(ref matrix[0, 0], matrix.Length).CopyTo(rows);
}
