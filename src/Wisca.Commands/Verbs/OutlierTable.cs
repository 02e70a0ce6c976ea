using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;
using Wisca.Commands.CommandLine;
using Wisca.Inspection;

namespace Wisca.Commands.Verbs;

/// <summary>The outliers of a model's matrices, beside those of an equivalent one where there is one.</summary>
internal static class OutlierTable
{
    /// <summary>Pairs each tensor with the same one of another model.</summary>
    /// <param name="own">The model's.</param>
    /// <param name="other">The other's; null for none.</param>
    /// <param name="folder">The other's folder, for the message.</param>
    /// <exception cref="WiscaException">The other model lacks a tensor.</exception>
    public static IReadOnlyList<(TensorOutliers Own, TensorOutliers? Other)> Pair(
        ImmutableArray<TensorOutliers> own, ImmutableArray<TensorOutliers>? other, string? folder)
    {
        if (other is not { } others) return [.. own.Select(entry => (entry, (TensorOutliers?)null))];
        var known = others.ToDictionary(entry => entry.Tensor, StringComparer.Ordinal);
        return
        [
            .. own.Select(entry => (entry, known.GetValueOrDefault(entry.Tensor) ?? throw new WiscaException(
                $"{folder} has no matrix '{entry.Tensor}'", "--against takes the same model in another basis"))),
        ];
    }

    public static void Print(IAnsiConsole console, IReadOnlyList<(TensorOutliers Own, TensorOutliers? Other)> pairs)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("tensor");
        foreach (string header in (string[])["kurtosis", "max |w|/rms", "row/rms", "column/rms"])
            table.AddColumn(new TableColumn(header).RightAligned());
        foreach (var (own, other) in pairs)
        {
            table.AddRow(
                new Text(PrintableText.Of(own.Tensor)), Cell(entry => entry.Kurtosis), Cell(entry => entry.Largest),
                Cell(entry => entry.LargestRow), Cell(entry => entry.LargestColumn));

            Text Cell(Func<TensorOutliers, double> number) =>
                new(other is null ? Number(number(own)) : $"{Number(number(own))} -> {Number(number(other))}");
        }

        console.Write(table);
    }

    public static JsonArray Json(IReadOnlyList<(TensorOutliers Own, TensorOutliers? Other)> pairs) =>
    [
        .. pairs.Select(pair =>
        {
            var entry = Numbers(pair.Own);
            entry.Insert(0, "tensor", pair.Own.Tensor);
            if (pair.Other is { } other) entry["against"] = Numbers(other);
            return (JsonNode?)entry;
        }),
    ];

    private static JsonObject Numbers(TensorOutliers outliers) => new()
    {
        ["kurtosis"] = Format.Json(outliers.Kurtosis),
        ["largest"] = Format.Json(outliers.Largest),
        ["largest_row"] = Format.Json(outliers.LargestRow),
        ["largest_column"] = Format.Json(outliers.LargestColumn),
    };

    private static string Number(double value) =>
        double.IsFinite(value) ? value.ToString("0.00", CultureInfo.InvariantCulture) : "-";
}
