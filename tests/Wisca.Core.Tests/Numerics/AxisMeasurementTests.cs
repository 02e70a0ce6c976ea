using Wisca.Numerics;
using Wisca.Safetensors;
using Wisca.Tests;

namespace Wisca.Core.Tests.Numerics;

public sealed class AxisMeasurementTests
{
    [Theory]
    [InlineData(Dtype.F16, 3, 1)]
    [InlineData(Dtype.F16, 7, 1100)]
    [InlineData(Dtype.BF16, 5, 1031)]
    [InlineData(Dtype.BF16, 1, 13)]
    [InlineData(Dtype.F32, 4, 2055)]
    [InlineData(Dtype.F32, 33, 8)]
    [InlineData(Dtype.F64, 6, 1029)]
    public void Measure_BothAxes_AgreesWithCompensatedSums(Dtype dtype, int rows, int columns)
    {
        double[,] values = Random(dtype, rows, columns, out byte[][] bytes);
        for (int axis = 0; axis < 2; axis++)
        {
            int length = axis == 0 ? rows : columns;
            var measurement = new AxisMeasurement(dtype, axis, length);
            for (int row = 0; row < rows; row++) measurement.AddRow(row, bytes[row]);
            measurement.HasNonFinite().ShouldBeFalse();
            var statistics = measurement.ToStatistics(axis == 0 ? columns : rows);
            statistics.ElementsPerIndex.ShouldBe(axis == 0 ? columns : rows);
            for (int index = 0; index < length; index++)
            {
                double[] magnitudes =
                [
                    .. Enumerable
                        .Range(0, axis == 0 ? columns : rows)
                        .Select(other => Math.Abs(axis == 0 ? values[index, other] : values[other, index])),
                ];
                double sum = CompensatedSum(magnitudes),
                    squares = CompensatedSum([.. magnitudes.Select(magnitude => magnitude * magnitude)]);
                Math.Abs(statistics.SumOfAbsolutes[index] - sum).ShouldBeLessThanOrEqualTo(sum * 1e-14);
                Math.Abs(statistics.SumOfSquares[index] - squares).ShouldBeLessThanOrEqualTo(squares * 1e-14);
                statistics.Largest[index].ShouldBe(magnitudes.Max());
                statistics
                    .SmallestNonzero[index]
                    .ShouldBe(magnitudes.Where(magnitude => magnitude > 0).DefaultIfEmpty(double.PositiveInfinity).Min());
            }
        }
    }

    [Fact]
    public void Measure_Zeros_HaveNoSmallestElement()
    {
        var measurement = new AxisMeasurement(Dtype.F32, 0, 1);
        measurement.AddRow(0, ReferenceFloat.Bytes("F32", Enumerable.Repeat(-0.0, 19)));
        var statistics = measurement.ToStatistics(19);
        (statistics.SumOfAbsolutes[0], statistics.Largest[0], statistics.SmallestNonzero[0]).ShouldBe((0, 0, double.PositiveInfinity));
    }

    [Fact]
    public void Measure_Subnormals_AreNotFlushed()
    {
        foreach (var dtype in (Dtype[])[Dtype.F16, Dtype.BF16, Dtype.F32, Dtype.F64])
        {
            string name = $"{dtype}";
            double least = dtype == Dtype.F64 ? double.Epsilon : ReferenceFloat.Decode(name, 1);
            for (int axis = 0; axis < 2; axis++)
            {
                var measurement = new AxisMeasurement(dtype, axis, axis == 0 ? 1 : 16);
                measurement.AddRow(0, ReferenceFloat.Bytes(name, Enumerable.Repeat(-least, 16)));
                measurement.ToStatistics(16).SmallestNonzero[0].ShouldBe(least);
                measurement.ToStatistics(16).SumOfAbsolutes[0].ShouldBe(axis == 0 ? 16 * least : least);
            }
        }
    }

    /// <summary>In a vector, in its tail, behind a chunk:
    /// nowhere does a NaN or an infinity get lost, not even behind one another.</summary>
    [Theory]
    [InlineData(Dtype.F16)]
    [InlineData(Dtype.BF16)]
    [InlineData(Dtype.F32)]
    [InlineData(Dtype.F64)]
    public void HasNonFinite_AnyPlace_IsFound(Dtype dtype)
    {
        const int columns = 1043;
        foreach (double bad in (double[])[double.NaN, double.PositiveInfinity, double.NegativeInfinity])
        {
            foreach (int at in (int[])[0, 1, 7, 8, 511, 1023, 1024, 1031, 1040, 1042])
            {
                double[] values = [.. Enumerable.Range(0, columns).Select(i => i * 0.01)];
                values[at] = bad;
                byte[] row = ReferenceFloat.Bytes($"{dtype}", values);
                for (int axis = 0; axis < 2; axis++)
                {
                    var measurement = new AxisMeasurement(dtype, axis, axis == 0 ? 2 : columns);
                    measurement.AddRow(0, row);
                    measurement.AddRow(axis == 0 ? 1 : 0, ReferenceFloat.Bytes($"{dtype}", new double[columns]));
                    measurement.HasNonFinite().ShouldBeTrue($"{dtype} {bad} at {at} along axis {axis}");
                }
            }
        }
    }

    /// <summary>Neumaier's sum: its error is one rounding of the result.</summary>
    private static double CompensatedSum(double[] terms)
    {
        double sum = 0, lost = 0;
        foreach (double term in terms)
        {
            double next = sum + term;
            lost += Math.Abs(sum) >= Math.Abs(term) ? sum - next + term : term - next + sum;
            sum = next;
        }

        return sum + lost;
    }

    private static double[,] Random(Dtype dtype, int rows, int columns, out byte[][] bytes)
    {
        var random = new Random((rows * 10_000) + columns);
        double[,] values = new double[rows, columns];
        bytes = new byte[rows][];
        for (int row = 0; row < rows; row++)
        {
            bytes[row] = ReferenceFloat.Bytes(
                $"{dtype}",
                Enumerable
                    .Range(0, columns)
                    .Select(_ => random.Next(8) == 0 ? 0 : SmallLlama.Normal(random) * Math.ScaleB(1, random.Next(-9, 3))));
            double[] stored = ReferenceFloat.Values($"{dtype}", bytes[row]);
            for (int column = 0; column < columns; column++) values[row, column] = stored[column];
        }

        return values;
    }
}
