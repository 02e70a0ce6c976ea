using System.Text.Json;

namespace Wisca.Library.Documents;

/// <summary>What a plan is made of.</summary>
/// <param name="Config">The content of the model's <c>config.json</c>.</param>
/// <param name="Tensors">Its tensors.</param>
internal sealed record PlanRequest(JsonElement Config, TensorDescription[] Tensors)
{
    /// <summary>A table of one's own; null for the built-in ones.</summary>
    public JsonElement? Architecture { get; init; }

    /// <summary>The scaling transitions; null for none.</summary>
    public TransitionRequest? Transitions { get; init; }

    /// <summary>The rotations; null for none.</summary>
    public RotationRequest? Rotations { get; init; }
}
