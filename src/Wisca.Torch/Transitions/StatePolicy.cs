using System.Text.Json.Serialization;

namespace Wisca.Torch.Transitions;

/// <summary>What becomes of the optimizer's state when a transition changes the weights under it.</summary>
public enum StatePolicy
{
    /// <summary>
    /// It follows: first moments and momenta are divided by the factor, second moments by its square. The optimizer then goes on as if it
    /// had trained in the new gauge all along.
    /// </summary>
    [JsonStringEnumMemberName("transport")]
    Transport,

    /// <summary>It stays as it is, as where nobody thought of it:
    /// the next steps are too long on one side and too short on the other.</summary>
    [JsonStringEnumMemberName("keep")]
    Keep,

    /// <summary>The state of every parameter that was scaled starts anew.</summary>
    [JsonStringEnumMemberName("reset")]
    Reset,
}
