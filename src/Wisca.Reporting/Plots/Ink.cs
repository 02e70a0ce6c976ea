using ScottPlot;

namespace Wisca.Reporting.Plots;

/// <summary>
/// What plots are drawn with. ScottPlot knows literal colours only, so each ink has one that stands for it; <see cref="SvgCleaner"/> puts a
/// class of the style sheet in its place, which then follows the reader's light or dark screen.
/// </summary>
/// <param name="Name">The class: <c>k0</c> to <c>k5</c> for series, <c>grid</c>, <c>muted</c>.</param>
/// <param name="Number">The number that its stand-in carries.</param>
/// <param name="IsSeries">True for lines that are told apart by their dashes too.</param>
internal sealed record Ink(string Name, byte Number, bool IsSeries = false)
{
    public const string Thin = "thin";

    private const byte Mark = 0x5a;

    /// <summary>Inks of series, the baseline's first.</summary>
    public static readonly IReadOnlyList<Ink> Series =
    [
        .. Enumerable.Range(0, 6).Select(index => new Ink($"k{index}", (byte)(16 + index), IsSeries: true)),
    ];

    public static readonly Ink Grid = new("grid", 1);

    public static readonly Ink Muted = new("muted", 2);

    private static readonly IReadOnlyList<MarkerShape> Shapes =
    [
        MarkerShape.FilledCircle, MarkerShape.FilledSquare, MarkerShape.FilledTriangleUp, MarkerShape.FilledDiamond,
        MarkerShape.FilledTriangleDown, MarkerShape.FilledCircle,
    ];

    private static readonly IReadOnlyList<Ink> All = [.. Series, Grid, Muted];

    /// <summary>The stand-in.</summary>
    public Color Color => new(Mark, Number, Mark);

    /// <summary>The marker that goes with a series.</summary>
    public MarkerShape Shape => IsSeries ? Shapes[Number - 16] : MarkerShape.FilledCircle;

    /// <summary>The ink that a colour stands for; null for any other colour.</summary>
    public static Ink? Of(string color) =>
        All.FirstOrDefault(ink => string.Equals(color, $"#{Mark:x2}{ink.Number:x2}{Mark:x2}", StringComparison.OrdinalIgnoreCase));
}
