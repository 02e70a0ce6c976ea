namespace Wisca.Reporting.Plots;

/// <summary>The part of a drawing that holds the data: where values are in it, from its left upper corner.</summary>
/// <param name="X">What is along the bottom.</param>
/// <param name="Y">What is along the left side, upwards.</param>
/// <param name="Width">Width of the part.</param>
/// <param name="Height">Height of the part.</param>
internal sealed record Plane(Extent X, Extent Y, double Width, double Height)
{
    // What is farther out cannot be told from it by where its lines enter the plane, and browsers count in single precision.
    private const double Farthest = 1e5;

    public double Across(double x) => Near((x - X.Low) / (X.High - X.Low) * Width);

    public double Down(double y) => Near((Y.High - y) / (Y.High - Y.Low) * Height);

    /// <summary>A point, as a path has it.</summary>
    public string Point(double x, double y) => Svg.Point(Across(x), Down(y));

    /// <summary>A line from top to bottom, as a path has it.</summary>
    public string Upright(double x) => $"M{Svg.Number(Across(x))} 0v{Svg.Number(Height)}";

    /// <summary>A line from left to right, as a path has it.</summary>
    public string Level(double y) => $"M0 {Svg.Number(Down(y))}h{Svg.Number(Width)}";

    /// <summary>True where a mark of this size would be seen, at least in part.</summary>
    public bool Shows(double x, double y, double size)
    {
        if (!Extent.CanHold(x) || !Extent.CanHold(y)) return false;
        double across = Across(x), down = Down(y);
        return across > -size && across < Width + size && down > -size && down < Height + size;
    }

    private static double Near(double place) => Math.Clamp(place, -Farthest, Farthest);
}
