namespace Wisca.Reporting.Plots;

/// <summary>Shapes that points are drawn as.</summary>
internal enum Mark
{
    /// <summary>A filled circle.</summary>
    Circle,

    /// <summary>A filled square.</summary>
    Square,

    /// <summary>A filled triangle that points up.</summary>
    Triangle,

    /// <summary>A filled diamond.</summary>
    Diamond,

    /// <summary>A filled triangle that points down.</summary>
    TriangleDown,

    /// <summary>Two crossing lines.</summary>
    Cross,
}
