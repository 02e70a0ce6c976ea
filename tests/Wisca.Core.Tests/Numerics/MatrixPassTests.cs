using Wisca.Numerics;
using Wisca.Safetensors;
using Wisca.Tests;

namespace Wisca.Core.Tests.Numerics;

/// <summary>Passes over matrices in memory, against plain loops in float64.</summary>
public sealed class MatrixPassTests
{
    private const int Rows = 6, Columns = 37;

    public static TheoryData<Dtype> Types => [Dtype.F16, Dtype.BF16, Dtype.F32, Dtype.F64];

    [Theory]
    [MemberData(nameof(Types))]
    public void Scale_PowersOfTwo_AreExactAndComeBackToTheBit(Dtype dtype)
    {
        byte[] before = Stored(dtype), bytes = [.. before];
        double[] values = Values(dtype, before), rows = [1, 2, 0.25, 2, 2, 4];
        double[] columns = Factors(Columns, index => Math.ScaleB(1, (index % 3) - 1));
        MatrixPass.Scale(dtype, bytes, Columns, rows, columns);
        Values(dtype, bytes).ShouldBe([.. values.Select((value, i) => value * rows[i / Columns] * columns[i % Columns])]);
        MatrixPass.Scale(
            dtype, bytes, Columns, Array.ConvertAll(rows, factor => 1 / factor), Array.ConvertAll(columns, factor => 1 / factor));
        bytes.ShouldBe(before);
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Scale_AnyFactors_AreRoundedOnce(Dtype dtype)
    {
        double[] rows = [1, 1.1, 0.3, 0.3, 0.3, 1.7], columns = Factors(Columns, index => 0.5 + (0.07 * index)), none = [];
        foreach (var (byRow, byColumn) in ((double[], double[])[])[(rows, columns), (rows, none), (none, columns), (none, none)])
        {
            byte[] bytes = Stored(dtype), expected = new byte[bytes.Length];
            double[] values = Values(dtype, bytes);
            for (int i = 0; i < values.Length; i++)
            {
                double row = byRow.Length == 0 ? 1 : byRow[i / Columns], column = byColumn.Length == 0 ? 1 : byColumn[i % Columns];
                values[i] *= row * column;
            }

            Elements.Encode(dtype, values, expected);
            MatrixPass.Scale(dtype, bytes, Columns, byRow, byColumn);
            bytes.ShouldBe(expected);
        }
    }

    [Theory]
    [InlineData(0, 1, false, false)]
    [InlineData(1, 1, false, false)]
    [InlineData(1, 3, false, false)]
    [InlineData(0, 1, true, true)]
    [InlineData(1, 1, false, true)]
    [InlineData(1, 2, true, true)]
    public void Measure_AnyAxis_IsThatOfPlainLoops(int axis, int parts, bool addsOne, bool factors)
    {
        byte[] bytes = Stored(Dtype.F32);
        double[] values = Values(Dtype.F32, bytes);
        double[]? others = factors ? Factors(axis == 0 ? Columns : Rows, index => 0.5 + index) : null;
        var measured = MatrixPass.Measure(Dtype.F32, bytes, Columns, axis, parts, addsOne, others).ShouldNotBeNull();
        double[] sums = new double[axis == 0 ? Rows : Columns * parts], squares = [.. sums], largest = [.. sums];
        for (int i = 0; i < values.Length; i++)
        {
            var (row, column) = (i / Columns, i % Columns);
            int index = axis == 0 ? row : (row / (Rows / parts) * Columns) + column;
            double value = Math.Abs((values[i] + (addsOne ? 1 : 0)) * (others?[axis == 0 ? column : row] ?? 1));
            sums[index] += value;
            squares[index] += value * value;
            largest[index] = Math.Max(largest[index], value);
        }

        measured.ElementsPerIndex.ShouldBe(axis == 0 ? Columns : Rows / parts);
        for (int index = 0; index < sums.Length; index++)
        {
            measured.SumOfAbsolutes[index].ShouldBe(sums[index], 1e-13 * sums[index]);
            measured.SumOfSquares[index].ShouldBe(squares[index], 1e-13 * squares[index]);
            measured.Largest[index].ShouldBe(largest[index], 1e-15 * largest[index]);
        }
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void Measure_WhatIsNotFinite_IsNothing(double value)
    {
        foreach (var dtype in (Dtype[])[Dtype.F16, Dtype.BF16, Dtype.F32, Dtype.F64])
        {
            byte[] bytes = Stored(dtype);
            int size = dtype.Bits() / 8;
            byte[] broken = ReferenceFloat.Bytes(dtype.ToString(), [value]);
            broken.CopyTo(bytes, 20 * size);
            MatrixPass.Measure(dtype, bytes, Columns, 0).ShouldBeNull();
            MatrixPass.Measure(dtype, bytes, Columns, 1).ShouldBeNull();
        }
    }

    private static byte[] Stored(Dtype dtype)
    {
        var random = new Random(3);
        return ReferenceFloat.Bytes(dtype.ToString(), [.. Enumerable.Range(0, Rows * Columns).Select(_ => random.NextDouble() - 0.5)]);
    }

    private static double[] Values(Dtype dtype, byte[] bytes)
    {
        double[] values = new double[bytes.Length / (dtype.Bits() / 8)];
        Elements.Decode(dtype, bytes, values);
        return values;
    }

    private static double[] Factors(int count, Func<int, double> factor) => [.. Enumerable.Range(0, count).Select(factor)];
}
