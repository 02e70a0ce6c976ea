using System.Text.Json.Serialization;

namespace Wisca.Torch.Transitions;

/// <summary>What becomes of a norm's gain when its stream is rotated. Either is exact: its readers take up the difference.</summary>
public enum GainPolicy
{
    /// <summary>
    /// The squares of the gains are mixed as the rotation mixes channels, g'_j^2 = sum over i of R_ij^2 g_i^2, and what the optimizer keeps
    /// for them stays: a channel keeps the size of steps that training has found for it.
    /// </summary>
    [JsonStringEnumMemberName("follow")]
    Follow,

    /// <summary>The gains become ones, and what the optimizer keeps for them starts at zero.</summary>
    [JsonStringEnumMemberName("fold")]
    Fold,
}
