using System.Text.Json.Serialization;

namespace Wisca.Torch.Transitions;

/// <summary>
/// What becomes of the optimizer's second moments under a rotation, where no rule is exact: they hold the diagonal of a covariance whose
/// rest is not known. Momenta, masters and averages follow exactly in any case.
/// </summary>
public enum SecondMomentPolicy
{
    /// <summary>
    /// They stay, but for the change of gains, and adapt within 1 / (1 - beta2) steps. Sound where rotations are near the identity.
    /// </summary>
    [JsonStringEnumMemberName("keep")]
    Keep,

    /// <summary>They are mixed by the squares of the rotation's elements: right where the gradient's elements are independent.</summary>
    [JsonStringEnumMemberName("mix")]
    Mix,

    /// <summary>All that the optimizer keeps for a rotated tensor, momenta and step counts too, starts anew.</summary>
    [JsonStringEnumMemberName("reset")]
    Reset,
}
