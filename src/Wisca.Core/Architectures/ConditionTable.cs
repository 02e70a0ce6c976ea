using System.Text.Json;
using Wisca.Checkpoints;

namespace Wisca.Architectures;

/// <summary>A condition on the configuration, or on a tensor being there.</summary>
/// <param name="Key">A dotted path into <c>config.json</c>.</param>
/// <param name="Is">Holds where the key has this value; without it, where the key is set to anything but null or false.</param>
/// <param name="Default">The key's value where it is absent or null.</param>
/// <param name="Tensor">
/// Holds where the layer has a tensor of this name (relative to the layer; <c>*</c> stands for anything, <c>?</c> for one character).
/// </param>
public sealed record ConditionTable(string? Key = null, JsonElement? Is = null, JsonElement? Default = null, string? Tensor = null)
{
    internal string? Check(string field, bool tensorAllowed) =>
        string.IsNullOrEmpty(Key) == string.IsNullOrEmpty(Tensor) ? $"{field} needs either key or tensor"
        : Tensor is null ? null
        : !tensorAllowed ? $"{field} must be a condition on a key: it is decided once for all layers"
        : (Is ?? Default) is not null ? $"{field} is a condition on a tensor and has neither is nor default"
        : null;

    /// <summary>True where the condition holds.</summary>
    /// <param name="config">The model's configuration.</param>
    /// <param name="hasTensor">Whether the layer has a tensor that matches a pattern.</param>
    internal bool Holds(ModelConfig config, Func<string, bool> hasTensor)
    {
        if (Tensor is not null) return hasTensor(Tensor);
        if ((config.Find(Key!) ?? Default) is not { } value) return false;
        return Is is { } expected
            ? JsonElement.DeepEquals(value, expected)
            : value.ValueKind is not (JsonValueKind.False or JsonValueKind.Null);
    }
}
