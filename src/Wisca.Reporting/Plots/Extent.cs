namespace Wisca.Reporting.Plots;

/// <summary>The values from a lowest to a highest one; none, where the lowest is above the highest.</summary>
internal readonly record struct Extent(double Low, double High)
{
    // Twice as much is still a number.
    private const double Most = 1e300;

    public static readonly Extent None = new(double.PositiveInfinity, double.NegativeInfinity);

    /// <summary>False for what has no place on any axis: NaN, infinities and what is almost infinite.</summary>
    public static bool CanHold(double value) => Math.Abs(value) <= Most;

    /// <summary>This and values that have a place.</summary>
    public Extent With(params IEnumerable<double> values) =>
        values.Where(CanHold).Aggregate(this, (extent, value) => new Extent(Math.Min(extent.Low, value), Math.Max(extent.High, value)));

    /// <summary>The extent of an axis: this, with a share of it as room at both ends. Values that are equal, or that differ in their last
    /// digits only, stand in the middle of one that is not empty.</summary>
    public Extent WithRoom(double share)
    {
        if (!(High >= Low)) return new Extent(0, 1);
        double size = Math.Max(Math.Abs(Low), Math.Abs(High)), width = High - Low;
        double room = width > Math.Max(1 / Most, 1e-9 * size) ? share * width : Math.Max(1e-3, 0.1 * size);
        return new Extent(Low - room, High + room);
    }
}
