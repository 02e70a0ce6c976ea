using System.Text.Json.Serialization;

namespace Wisca.Evaluation.Flatness;

/// <summary>Where a loss is drawn.</summary>
public enum LossCurveKind
{
    /// <summary>Along one filter-normalised random direction.</summary>
    [JsonStringEnumMemberName("slice-1d")]
    Line,

    /// <summary>In the plane of two of them.</summary>
    [JsonStringEnumMemberName("slice-2d")]
    Plane,

    /// <summary>On the line through two checkpoints.</summary>
    [JsonStringEnumMemberName("between")]
    Between,
}
