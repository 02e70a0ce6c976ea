using System.Text.Json;
using Wisca.Checkpoints;

namespace Wisca.Architectures;

/// <summary>A condition on the configuration, or on a tensor being there.</summary>
/// <param name="Key">A dotted path into <c>config.json</c>.</param>
/// <param name="Is">Holds where the key has this value; without it, where the key is set to anything but null or false.</param>
/// <param name="Default">The key's value where it is absent.</param>
/// <param name="Tensor">Holds where the layer has this tensor (name relative to the layer).</param>
public sealed record ConditionTable(string? Key = null, JsonElement? Is = null, JsonElement? Default = null, string? Tensor = null)
{
    internal string? Check() =>
        Key is null == Tensor is null ? "a condition needs either key or tensor"
        : Tensor is not null && (Is ?? Default) is not null ? "a condition on a tensor has neither is nor default"
        : null;

    /// <summary>True where the condition holds.</summary>
    /// <param name="config">The model's configuration.</param>
    /// <param name="hasTensor">Whether the layer has a tensor of the given relative name.</param>
    internal bool Holds(ModelConfig config, Func<string, bool> hasTensor)
    {
        if (Tensor is not null) return hasTensor(Tensor);
        if ((config.Find(Key!) ?? Default) is not { } value) return false;
        return Is is { } expected ? JsonElement.DeepEquals(value, expected) : value.ValueKind is not (JsonValueKind.False or JsonValueKind.Null);
    }
}
