using System.Globalization;

namespace Wisca.Certificates;

/// <summary>Holds the rows of a tensor along the stream's axis against what they should be, block by block.</summary>
/// <param name="view">The tensor.</param>
/// <param name="basis">The rotation.</param>
/// <param name="noise">What rounding explains.</param>
/// <param name="gains">What the second's elements were multiplied by after they were read; null for ones.</param>
/// <param name="notesAll">True to note every row and column of the tensor with elements that are wrong.</param>
internal sealed class StreamTally(FibreView view, StreamBasis basis, RotationNoise noise, double[]? gains, bool notesAll)
{
    private readonly HashSet<int> _rows = [], _columns = [];
    private double _errors, _squares, _products, _fourths;
    private string? _difference;

    public void Add(double[] expected, double[] actual, int firstRow)
    {
        int n = basis.Size;
        for (int row = 0; row < expected.Length / n; row++)
        {
            ReadOnlySpan<double> x = expected.AsSpan(row * n, n), y = actual.AsSpan(row * n, n);
            double square = 0;
            foreach (double value in x) square += value * value;
            for (int j = 0; j < n; j++)
            {
                double error = y[j] - x[j];
                _errors += error * error;
                _products += x[j] * y[j];
                _fourths += x[j] * x[j] * ((x[j] * x[j]) + (square / n));
                double deviation = noise.Deviation * Math.Sqrt(square * ((1.0 / n) + basis.Variances[j]));
                double allowed = noise.Allowed(x[j], gains?[j] ?? 1, deviation);
                if (!(Math.Abs(error) <= allowed)) Note(firstRow + row, j, x[j], y[j], allowed);
            }

            _squares += square;
        }
    }

    public StreamFinding Finding()
    {
        string name = view.Tensor.Info.Name;
        var dtype = view.Tensor.Info.Dtype;
        double error = _errors == 0 ? 0 : Math.Sqrt(_errors / _squares);
        double tolerance = (Math.Sqrt(noise.Roundings) * noise.Unit) + (2 * noise.Deviation * Math.Sqrt(1 + basis.Variances.Sum()));
        double least = noise.Unit * noise.Smallest * Math.Max(1, gains?.Max(Math.Abs) ?? 1) * Math.Sqrt((double)view.Count * view.Length);
        if (_squares > 0) tolerance += least / Math.Sqrt(_squares);
        double drift = (_products / _squares) - 1, allowed = noise.AllowedDrift(dtype, _fourths / (_squares * _squares));
        if (_squares > 0) allowed += least / Math.Sqrt(_squares);
        if (_difference is null && !(error <= tolerance))
            _difference = string.Create(
                CultureInfo.InvariantCulture,
                $"tensor '{name}' is not the first's in the basis of the second: the relative error is {error:0.0e+00}, "
                + $"rounding explains {tolerance:0.0e+00}");
        else if (_difference is null && _squares > 0 && !(Math.Abs(drift) <= allowed))
            _difference = string.Create(
                CultureInfo.InvariantCulture,
                $"tensor '{name}' is {1 + drift:0.0000000} times the first's in the basis of the second, and rounding explains a "
                + $"difference from 1 of {allowed:0.0e+00}");
        return new StreamFinding(name, error, tolerance, _difference, _rows, _columns);
    }

    private void Note(int row, int index, double expected, double actual, double allowed)
    {
        if (_difference is not null && !notesAll) return;
        long[] place = view.IndexOf(row, index);
        if (notesAll)
        {
            _rows.Add((int)place[0]);
            _columns.Add((int)place[^1]);
        }

        _difference ??= string.Create(
            CultureInfo.InvariantCulture,
            $"tensor '{view.Tensor.Info.Name}' is not the first's in the basis of the second: at [{string.Join(", ", place)}] it is "
            + $"{Stored(actual):G6} where {Stored(expected):G6} is expected, allowed is a difference of {Stored(allowed):G3}");

        double Stored(double value) => gains is null ? value : value / gains[index];
    }
}
