namespace Wisca.Reporting.Plots;

/// <summary>What plots are drawn with: a class of the style sheet, which gives it a colour for light and one for dark screens.</summary>
/// <param name="Name">The class: <c>k0</c> to <c>k5</c> for series (told apart by their dashes too), <c>grid</c>, <c>muted</c>.</param>
/// <param name="Mark">The mark that goes with a series.</param>
internal sealed record Ink(string Name, Mark Mark = Mark.Circle)
{
    /// <summary>Inks of series, the baseline's first.</summary>
    public static readonly IReadOnlyList<Ink> Series =
    [
        new("k0", Mark.Circle), new("k1", Mark.Square), new("k2", Mark.Triangle), new("k3", Mark.Diamond), new("k4", Mark.TriangleDown),
        new("k5", Mark.Circle),
    ];

    public static readonly Ink Grid = new("grid");

    public static readonly Ink Muted = new("muted");

    /// <summary>The class of a line.</summary>
    public string Line => $"{Name} line";

    /// <summary>The class of a line without dashes, a little thinner.</summary>
    public string ThinLine => $"{Name} line thin";

    /// <summary>The class of a filled shape.</summary>
    public string Area => $"{Name} area";
}
