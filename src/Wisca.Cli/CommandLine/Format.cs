using System.Text.Json.Nodes;
using Wisca.Attention;
using Wisca.Transitions;

namespace Wisca.Cli.CommandLine;

/// <summary>How numbers and names are written.</summary>
internal static class Format
{
    public static string Name(Granularity granularity) => granularity switch
    {
        Granularity.Tensor => "tensor",
        Granularity.KvHead => "kv-head",
        Granularity.Pair => "pair",
        Granularity.Channel => "channel",
        _ => throw new ArgumentOutOfRangeException(nameof(granularity), granularity, null),
    };

    public static string Name(TransitionKind kind) => kind switch
    {
        TransitionKind.QueryKey => "qk",
        TransitionKind.ValueOutput => "vo",
        TransitionKind.LoraFactors => "lora",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
    };

    public static string Name(FactorRounding rounding) => rounding switch
    {
        FactorRounding.Auto => "auto",
        FactorRounding.None => "none",
        FactorRounding.PowerOfTwo => "pow2",
        _ => throw new ArgumentOutOfRangeException(nameof(rounding), rounding, null),
    };

    public static string Name(Criterion criterion) => criterion switch
    {
        Criterion.L1 => "l1",
        Criterion.L1Mean => "l1-mean",
        Criterion.L2 => "l2",
        Criterion.Rms => "rms",
        Criterion.Spectral => "spectral",
        Criterion.Fisher => "fisher",
        _ => throw new ArgumentOutOfRangeException(nameof(criterion), criterion, null),
    };

    /// <summary>Layers as ranges: <c>0-3, 7</c>.</summary>
    public static string Ranges(IEnumerable<int> numbers)
    {
        var ranges = new List<(int First, int Last)>();
        foreach (int number in numbers.Order())
        {
            if (ranges.Count > 0 && ranges[^1].Last == number - 1) ranges[^1] = (ranges[^1].First, number);
            else ranges.Add((number, number));
        }

        return string.Join(", ", ranges.Select(range => range.First == range.Last ? $"{range.First}" : $"{range.First}-{range.Last}"));
    }

    public static string Bytes(double bytes) => bytes switch
    {
        >= 1e9 => $"{bytes / 1e9:0.00} GB",
        >= 1e6 => $"{bytes / 1e6:0.0} MB",
        _ => $"{bytes / 1e3:0.0} kB",
    };

    public static string Count(long count) => count switch
    {
        >= 1_000_000_000 => $"{count / 1e9:0.00} B",
        >= 1_000_000 => $"{count / 1e6:0.0} M",
        _ => count.ToString("N0", System.Globalization.CultureInfo.InvariantCulture),
    };

    /// <summary>How many of a thing: <c>1 tensor</c>, <c>2 tensors</c>.</summary>
    public static string Count(int count, string noun) => $"{count} {noun}{(count == 1 ? "" : "s")}";

    /// <summary>A ratio of norms, to three decimals.</summary>
    public static string Ratio(double ratio) => ratio.ToString("0.000", System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>A factor with its power of two where it is one.</summary>
    public static string Factor(double factor) => double.IsPow2(factor) ? $"2^{(int)Math.Log2(factor)}" : $"{factor:0.0000}";

    /// <summary>A number for JSON, which knows neither NaN nor infinity.</summary>
    public static JsonNode? Json(double? number) => number is { } value && double.IsFinite(value) ? JsonValue.Create(value) : null;

    public static JsonArray Json(IEnumerable<string> texts) => new([.. texts.Select(text => (JsonNode?)JsonValue.Create(text))]);

    public static JsonArray Json(IEnumerable<int> numbers) => new([.. numbers.Select(number => (JsonNode?)JsonValue.Create(number))]);
}
