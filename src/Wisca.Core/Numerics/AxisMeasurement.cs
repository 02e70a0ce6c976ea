using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Wisca.Safetensors;

namespace Wisca.Numerics;

/// <summary>
/// Accumulates <see cref="AxisStatistics"/> row by row, in float64 and in one fixed order: the result does not depend on the number of
/// threads or on the machine's vector width.
/// </summary>
internal sealed class AxisMeasurement
{
    private const int Chunk = 1024;
    private readonly Dtype _dtype;
    private readonly int _axis;
    private readonly double[] _absolutes, _squares, _smallest, _largest;
    private readonly float[] _singles = new float[Chunk];

    public AxisMeasurement(Dtype dtype, int axis, long length)
    {
        _dtype = dtype;
        _axis = axis;
        _absolutes = new double[length];
        _squares = new double[length];
        _smallest = new double[length];
        _largest = new double[length];
        Array.Fill(_smallest, double.PositiveInfinity);
    }

    public AxisStatistics ToStatistics(long elementsPerIndex) => new(_absolutes, _squares, _smallest, _largest, elementsPerIndex);

    /// <summary>True where an index has met NaN or infinity. (F16 decodes those to magnitudes from 65536.)</summary>
    public bool HasNonFinite() => Array.Exists(_largest, largest => !double.IsFinite(largest) || (_dtype == Dtype.F16 && largest >= 65536));

    /// <summary>Adds one row of the matrix (or a whole bias, as a row, with axis 1).</summary>
    public void AddRow(int row, ReadOnlySpan<byte> bytes)
    {
        int size = _dtype.Bits() / 8;
        int count = bytes.Length / size;
        for (int first = 0; first < count; first += Chunk)
        {
            int length = Math.Min(Chunk, count - first);
            var piece = bytes.Slice(first * size, length * size);
            if (_dtype == Dtype.F64)
            {
                var values = MemoryMarshal.Cast<byte, double>(piece);
                for (int i = 0; i < values.Length; i++) AddOne(_axis == 0 ? row : first + i, values[i]);
                continue;
            }

            ReadOnlySpan<float> singles = _singles.AsSpan(0, length);
            if (_dtype == Dtype.F32) singles = MemoryMarshal.Cast<byte, float>(piece);
            else Elements.Decode(_dtype, piece, _singles.AsSpan(0, length));
            int vectors = length - (length % 8);
            if (_axis == 0) AddToRow(row, singles[..vectors]);
            else AddToColumns(first, singles[..vectors]);
            for (int i = vectors; i < length; i++) AddOne(_axis == 0 ? row : first + i, singles[i]);
        }
    }

    /// <summary>Adds one row of numbers, each times a factor along the other axis.</summary>
    /// <param name="row">The row's index along axis 0; for axis 1, of no meaning.</param>
    /// <param name="values">The elements.</param>
    /// <param name="first">For axis 1, the index of the first element.</param>
    /// <param name="factors">One factor for all elements, or one for each.</param>
    /// <param name="offset">What is added to each element before.</param>
    public void AddRow(int row, ReadOnlySpan<double> values, int first, ReadOnlySpan<double> factors, double offset)
    {
        for (int i = 0; i < values.Length; i++)
            AddOne(_axis == 0 ? row : first + i, (values[i] + offset) * (factors.Length == 1 ? factors[0] : factors[i]));
    }

    /// <summary>Adds a multiple of 8 elements to one index.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AddToRow(int row, ReadOnlySpan<float> values)
    {
        Vector256<double> absolutes0 = default, absolutes1 = default, squares0 = default, squares1 = default;
        var infinity = Vector256.Create(float.PositiveInfinity);
        var smallest = infinity;
        Vector256<float> largest = default;
        ref float start = ref MemoryMarshal.GetReference(values);
        for (nuint i = 0; i < (nuint)values.Length; i += 8)
        {
            var magnitudes = Vector256.Abs(Vector256.LoadUnsafe(ref start, i));
            var low = Vector256.WidenLower(magnitudes);
            var high = Vector256.WidenUpper(magnitudes);
            absolutes0 += low;
            absolutes1 += high;
            squares0 += low * low;
            squares1 += high * high;
            smallest = Vector256.MinNative(
                smallest,
                Vector256.ConditionalSelect(Vector256.Equals(magnitudes, default), infinity, magnitudes));
            largest = Vector256.MaxNative(magnitudes, largest);
        }

        double sum = Vector256.Sum(absolutes0 + absolutes1);
        _absolutes[row] += sum;
        _squares[row] += Vector256.Sum(squares0 + squares1);
        for (int lane = 0; lane < 8; lane++)
        {
            _smallest[row] = Math.Min(_smallest[row], smallest[lane]);
            _largest[row] = Math.Max(_largest[row], largest[lane]);
        }

        // The native maximum may drop a NaN, a sum never does.
        if (!double.IsFinite(sum)) _largest[row] = double.NaN;
    }

    /// <summary>Adds a multiple of 8 elements, each to its own index.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AddToColumns(int first, ReadOnlySpan<float> values)
    {
        var infinity = Vector256.Create(double.PositiveInfinity);
        ref float start = ref MemoryMarshal.GetReference(values);
        ref double absolutes = ref MemoryMarshal.GetReference(_absolutes.AsSpan(first, values.Length));
        ref double squares = ref MemoryMarshal.GetReference(_squares.AsSpan(first, values.Length));
        ref double smallest = ref MemoryMarshal.GetReference(_smallest.AsSpan(first, values.Length));
        ref double largest = ref MemoryMarshal.GetReference(_largest.AsSpan(first, values.Length));
        for (nuint i = 0; i < (nuint)values.Length; i += 4)
        {
            var magnitudes = Vector256.Abs(Vector256.WidenLower(Vector128.LoadUnsafe(ref start, i).ToVector256Unsafe()));
            (Vector256.LoadUnsafe(ref absolutes, i) + magnitudes).StoreUnsafe(ref absolutes, i);
            (Vector256.LoadUnsafe(ref squares, i) + (magnitudes * magnitudes)).StoreUnsafe(ref squares, i);
            Vector256
                .MinNative(
                    Vector256.LoadUnsafe(ref smallest, i),
                    Vector256.ConditionalSelect(Vector256.Equals(magnitudes, default), infinity, magnitudes))
                .StoreUnsafe(ref smallest, i);

            // A NaN must stay: the general maximum keeps it, the native one may not.
            Vector256.Max(Vector256.LoadUnsafe(ref largest, i), magnitudes).StoreUnsafe(ref largest, i);
        }
    }

    private void AddOne(int index, double value)
    {
        double magnitude = Math.Abs(value);
        _absolutes[index] += magnitude;
        _squares[index] += magnitude * magnitude;
        if (magnitude > 0) _smallest[index] = Math.Min(_smallest[index], magnitude);
        _largest[index] = Math.Max(_largest[index], magnitude);
    }
}
