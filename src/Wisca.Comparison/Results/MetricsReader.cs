using System.Globalization;
using System.Text.Json;
using Wisca.Attention;
using Wisca.Training.Logging;

namespace Wisca.Comparison.Results;

/// <summary>What a run's metrics.jsonl comes to, thinned.</summary>
internal sealed class MetricsReader
{
    private const int LossPoints = 240, HeldOutPoints = 400, LayerPoints = 60;

    private readonly List<LossPoint> _losses = [];
    private readonly List<HeldOutPoint> _heldOut = [];
    private readonly Dictionary<(string Quantity, string Name, int Layer), List<(long Step, double Value)>> _layers = [];
    private readonly List<AppliedFactors> _transitions = [];
    private readonly SortedDictionary<string, List<(long Step, Dictionary<string, double> Values)>> _rotations =
        new(StringComparer.Ordinal);


    /// <param name="path">The file.</param>
    /// <param name="tokensPerStep">Number of tokens of a step; a mean where batches differ in length.</param>
    public MetricsReader(string path, double tokensPerStep)
    {
        foreach (string line in File.ReadLines(path))
        {
            using var document = JsonDocument.Parse(line);
            var record = document.RootElement;
            long step = record.GetProperty(MetricNames.Step).GetInt64();
            if (record.TryGetProperty(MetricNames.Parameters, out var parameters))
                (Parameters, InitialWeights) =
                    (parameters.GetInt64(), record.GetProperty(MetricNames.ModelDigest).GetString()!);
            if (record.TryGetProperty(MetricNames.BaseDigest, out var digest)) Base = digest.GetString();
            if (record.TryGetProperty(MetricNames.ValidationLoss, out var validation))
                _heldOut.Add(
                    new HeldOutPoint(step, Tokens(step), Number(validation), Number(record.GetProperty(MetricNames.TestLoss))));
            if (record.TryGetProperty(MetricNames.RotationSeconds, out _)) Rotated(step, record);
            if (record.TryGetProperty(MetricNames.Groups, out var groups)) Transitioned(step, groups);
            if (record.TryGetProperty(MetricNames.MeanFactor, out var mean))
                _transitions.Add(
                    new AppliedFactors(
                        step, TransitionKind.LoraFactors.Name(), 0, record.GetProperty(MetricNames.BalancedModules).GetInt32(),
                        Rounded(Number(mean)),
                        Rounded(Number(record.GetProperty(MetricNames.LeastFactor))),
                        Rounded(Number(record.GetProperty(MetricNames.GreatestFactor)))));
            if (!record.TryGetProperty(MetricNames.TrainingLoss, out var loss)) continue;
            _losses.Add(new LossPoint(step, Tokens(step), Number(loss)));
            foreach (var property in record.EnumerateObject())
            {
                if (MetricNames.FindLayer(property.Name) is not { } key) continue;
                if (!_layers.TryGetValue(key, out var series)) _layers[key] = series = [];
                series.Add((step, Rounded(Number(property.Value))));
            }
        }

        long Tokens(long step) => (long)Math.Round(step * tokensPerStep);
    }

    public long Parameters { get; }

    public string InitialWeights { get; } = "";

    public string? Base { get; }

    public IReadOnlyList<HeldOutPoint> HeldOut => Thinned(_heldOut, HeldOutPoints);

    public IReadOnlyList<AppliedFactors> Transitions => _transitions;

    /// <summary>Every kind of space that was rotated.</summary>
    public IReadOnlyList<RotationSeries> Rotations =>
    [
        .. _rotations.Select(kind =>
        {
            var points = Thinned(kind.Value, LayerPoints);
            return new RotationSeries(
                kind.Key, [.. points.Select(point => point.Step)], Values(MetricNames.RotationAngle), Values(MetricNames.DiagonalBefore),
                Values(MetricNames.DiagonalAfter));

            IReadOnlyList<double> Values(string quantity) =>
                points.All(point => point.Values.ContainsKey(quantity)) ? [.. points.Select(point => point.Values[quantity])] : [];
        }),
    ];

    public IReadOnlyList<LossPoint> TrainingLoss
    {
        get
        {
            int each = ((_losses.Count - 1) / LossPoints) + 1;
            return [.. _losses.Chunk(each).Select(chunk => chunk[^1] with { Loss = Rounded(chunk.Average(point => point.Loss)) })];
        }
    }

    public IReadOnlyList<LayerSeries> Series(string quantity) =>
    [
        .. _layers
            .Where(entry => entry.Key.Quantity == quantity)
            .OrderBy(entry => entry.Key.Name, StringComparer.Ordinal)
            .ThenBy(entry => entry.Key.Layer)
            .Select(entry =>
            {
                var points = Thinned(entry.Value, LayerPoints);
                return new LayerSeries(
                    entry.Key.Name, entry.Key.Layer, [.. points.Select(point => point.Step)], [.. points.Select(point => point.Value)]);
            }),
    ];

    private static IReadOnlyList<T> Thinned<T>(IReadOnlyList<T> points, int most)
    {
        int each = ((points.Count - 1) / most) + 1;
        return each == 1 ? points : [.. points.Where((_, index) => index % each == 0 || index == points.Count - 1)];
    }

    /// <summary>Six digits, as many as a plot can show.</summary>
    private static double Rounded(double number) =>
        double.Parse(number.ToString("G6", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    /// <summary>A number, or the text that stands for one that is not finite.</summary>
    private static double Number(JsonElement value) =>
        value.ValueKind == JsonValueKind.String ? double.Parse(value.GetString()!, CultureInfo.InvariantCulture) : value.GetDouble();

    private void Rotated(long step, JsonElement record)
    {
        foreach (
            var kind in record.EnumerateObject()
                .Select(property => (Name: MetricNames.FindRotation(property.Name), property.Value))
                .Where(property => property.Name is not null)
                .GroupBy(property => property.Name!.Value.Kind))
        {
            if (!_rotations.TryGetValue(kind.Key, out var series)) _rotations[kind.Key] = series = [];
            series.Add((step, kind.ToDictionary(property => property.Name!.Value.Quantity, property => Rounded(Number(property.Value)))));
        }
    }

    private void Transitioned(long step, JsonElement groups)
    {
        foreach (
            var layer in groups
                .EnumerateArray()
                .GroupBy(group =>
                    (
                        Name: group.GetProperty(MetricNames.GroupTransition).GetString()!,
                        Layer: group.GetProperty(MetricNames.GroupLayer).GetInt32())))
        {
            double[] factors = [.. layer.Select(group => Number(group.GetProperty(MetricNames.GroupFactor)))];
            _transitions.Add(
                new AppliedFactors(
                    step, layer.Key.Name, layer.Key.Layer, factors.Length, Rounded(Math.Exp(factors.Average(Math.Log))),
                    Rounded(factors.Min()), Rounded(factors.Max())));
        }
    }
}
