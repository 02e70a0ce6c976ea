using System.Globalization;
using System.Text.Json.Nodes;
using Wisca.Certificates;
using Wisca.Checkpoints;

namespace Wisca.Commands.CommandLine;

/// <summary>How numbers are written.</summary>
public static class Format
{
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

    /// <summary>A number of bytes, in the unit that fits.</summary>
    public static string Bytes(double bytes) => bytes switch
    {
        >= 1e9 => $"{bytes / 1e9:0.00} GB",
        >= 1e6 => $"{bytes / 1e6:0.0} MB",
        _ => $"{bytes / 1e3:0.0} kB",
    };

    /// <summary>A number, shortened where it is large.</summary>
    public static string Count(long count) => count switch
    {
        >= 1_000_000_000 => $"{count / 1e9:0.00} B",
        >= 1_000_000 => $"{count / 1e6:0.0} M",
        _ => count.ToString("N0", CultureInfo.InvariantCulture),
    };

    /// <summary>How many of a thing: <c>1 tensor</c>, <c>2 tensors</c>.</summary>
    public static string Count(int count, string noun) => $"{count} {noun}{(count == 1 ? "" : "s")}";

    /// <summary>A ratio of norms, to three decimals.</summary>
    public static string Ratio(double ratio) => ratio.ToString("0.000", CultureInfo.InvariantCulture);

    /// <summary>A factor with its power of two where it is one.</summary>
    public static string Factor(double factor) => double.IsPow2(factor) ? $"2^{(int)Math.Log2(factor)}" : $"{factor:0.0000}";

    /// <summary>A number for JSON, which knows neither NaN nor infinity.</summary>
    public static JsonNode? Json(double? number) => number is { } value && double.IsFinite(value) ? JsonValue.Create(value) : null;

    /// <summary>How a difference of logits compares with what rounding does.</summary>
    public static string Rounding(RoundingNoise rounding) => string.Create(
        CultureInfo.InvariantCulture,
        $"{rounding.Ratio:0.00} times what rounding the changed weights does (allowed {RoundingNoise.Allowed:0}), "
        + $"{rounding.WorstRatio:0.0} times at the worst position (allowed {RoundingNoise.AllowedWorst:0})"
        + $"{Spared(rounding)}");

    private static string Spared(RoundingNoise rounding) =>
        rounding is not { Spared: > 0, Beyond: > 0 }
            ? ""
            : FormattableString.Invariant($"; {rounding.Beyond} of {rounding.Positions} positions are beyond it, ")
                + FormattableString.Invariant($"of which the worst {rounding.Spared} are not judged: ")
                + "experts are picked by rank, rounding may change which where two all but tie, and a fault moves nearly all positions";

    /// <summary>The same for readers of JSON.</summary>
    public static JsonObject Json(RoundingNoise rounding) => new()
    {
        ["difference"] = Json(rounding.Difference),
        ["noise"] = Json(rounding.Noise),
        ["ratio"] = Json(rounding.Ratio),
        ["allowed_ratio"] = RoundingNoise.Allowed,
        ["worst_ratio"] = Json(rounding.WorstRatio),
        ["allowed_worst_ratio"] = RoundingNoise.AllowedWorst,
        ["positions"] = rounding.Positions,
        ["positions_beyond"] = rounding.Beyond,
        ["positions_not_judged"] = rounding.Spared,
    };

    /// <summary>The files of a folder that did not go along, with the reasons.</summary>
    public static JsonArray Json(SideFiles files) =>
        new([.. files.LeftOut.Select(entry => (JsonNode?)new JsonObject { ["path"] = entry.Path, ["reason"] = entry.Reason })]);

    /// <summary>A line for each file of a folder that did not go along, and for each of which it is not known whether it should.</summary>
    public static IEnumerable<string> Lines(SideFiles files) =>
        files.LeftOut.Select(entry => PrintableText.Of($"not copied: {entry.Path}: {entry.Reason}"))
            .Concat(
                files.Unknown.Select(path => PrintableText.Of(
                    $"copied unchecked: {path}: of no known kind; if it depends on the weights, it no longer matches")));

    /// <summary>Texts as JSON.</summary>
    public static JsonArray Json(IEnumerable<string> texts) => new([.. texts.Select(text => (JsonNode?)JsonValue.Create(text))]);

    /// <summary>Numbers as JSON.</summary>
    public static JsonArray Json(IEnumerable<int> numbers) => new([.. numbers.Select(number => (JsonNode?)JsonValue.Create(number))]);
}
