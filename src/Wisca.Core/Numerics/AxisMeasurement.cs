using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Wisca.Safetensors;
using Wisca.Transitions;

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

    /// <summary>Adds one row of the matrix (or a whole bias, as a column, with axis 0 and one row per element).</summary>
    public void AddRow(int row, ReadOnlySpan<byte> bytes)
    {
        int size = _dtype.Bits() / 8;
        int count = bytes.Length / size;
        for (int first = 0; first < count; first += Chunk)
        {
            int length = Math.Min(Chunk, count - first);
            var piece = bytes.Slice(first * size, length * size);
            if (_dtype == Dtype.F64) AddF64(row, first, MemoryMarshal.Cast<byte, double>(piece));
            else if (_dtype == Dtype.F32) AddF32(row, first, MemoryMarshal.Cast<byte, float>(piece));
            else
            {
                Elements.Decode(_dtype, piece, _singles.AsSpan(0, length));
                AddF32(row, first, _singles.AsSpan(0, length));
            }
        }
    }

    private void AddF32(int row, int first, ReadOnlySpan<float> values)
    {
        if (_axis == 0)
        {
            AddToRow(row, values);
            return;
        }

        int i = 0;
        for (; i <= values.Length - 8; i += 8)
        {
            var (low, high) = Vector256.Widen(Vector256.Abs(Vector256.Create(values.Slice(i, 8))));
            AddToColumns(first + i, low);
            AddToColumns(first + i + 4, high);
        }

        for (; i < values.Length; i++) AddOne(first + i, values[i]);
    }

    private void AddF64(int row, int first, ReadOnlySpan<double> values)
    {
        for (int i = 0; i < values.Length; i++) AddOne(_axis == 0 ? row : first + i, values[i]);
    }

    private void AddToRow(int row, ReadOnlySpan<float> values)
    {
        Vector256<double> absolutes0 = default, absolutes1 = default, squares0 = default, squares1 = default;
        var smallest = Vector256.Create(float.PositiveInfinity);
        Vector256<float> largest = default;
        int i = 0;
        for (; i <= values.Length - 8; i += 8)
        {
            var magnitudes = Vector256.Abs(Vector256.Create(values.Slice(i, 8)));
            var (low, high) = Vector256.Widen(magnitudes);
            absolutes0 += low;
            absolutes1 += high;
            squares0 += low * low;
            squares1 += high * high;
            smallest = Vector256.MinNative(
                smallest, Vector256.ConditionalSelect(Vector256.Equals(magnitudes, default), Vector256.Create(float.PositiveInfinity), magnitudes));
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
        for (; i < values.Length; i++) AddOne(row, values[i]);
    }

    private void AddToColumns(int column, Vector256<double> magnitudes)
    {
        Add(_absolutes, magnitudes);
        Add(_squares, magnitudes * magnitudes);
        var smallest = _smallest.AsSpan(column, 4);
        Vector256.Min(Vector256.Create<double>(smallest), Vector256.ConditionalSelect(
            Vector256.Equals(magnitudes, default), Vector256.Create(double.PositiveInfinity), magnitudes)).CopyTo(smallest);
        var largest = _largest.AsSpan(column, 4);
        Vector256.Max(Vector256.Create<double>(largest), magnitudes).CopyTo(largest);

        void Add(double[] sums, Vector256<double> terms)
        {
            var four = sums.AsSpan(column, 4);
            (Vector256.Create<double>(four) + terms).CopyTo(four);
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
