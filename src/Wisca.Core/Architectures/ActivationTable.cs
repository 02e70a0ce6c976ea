using Wisca.Checkpoints;

namespace Wisca.Architectures;

/// <summary>
/// What stands between what a weight writes and what reads it. A gate, computed by another weight, multiplies each channel, so that factors
/// pass in both signs; an activation lets them pass only where it is homogeneous.
/// </summary>
/// <param name="Gate">The weight that computes the gate: its name in the table, with <c>*</c> for the same expert; its own name where it
/// writes both. Where a layer has no such tensor, the activation counts.</param>
/// <param name="Keys">Dotted paths into <c>config.json</c> where the activation is named, tried in order; null where none names it.</param>
/// <param name="Default">The activation where no key names it.</param>
public sealed record ActivationTable(string? Gate = null, IReadOnlyList<string>? Keys = null, string? Default = null)
{
    /// <summary>The degree of what is gated.</summary>
    internal const int Linear = 1;

    // f(s x) = s^degree f(x) for every s > 0. Others, as GELU and SiLU, have no degree.
    private static readonly Dictionary<string, int> Degrees = new(StringComparer.Ordinal)
    {
        ["relu"] = 1, ["leaky_relu"] = 1, ["linear"] = 1, ["relu2"] = 2, ["relu_squared"] = 2, ["squared_relu"] = 2,
    };

    internal string? Check() =>
        string.IsNullOrEmpty(Gate) && string.IsNullOrEmpty(Default) ? "activation needs a gate or a default"
        : Keys is not null && (Keys.Count == 0 || Keys.Any(string.IsNullOrEmpty)) ? "activation.keys is empty, or has an empty key"
        : Keys is not null && Default is null ? "activation.keys needs a default"
        : null;

    /// <summary>The activation as a configuration names it, and the degree with which factors pass it; null where none does.</summary>
    internal (string Name, int? Degree) Of(ModelConfig config)
    {
        string? key = Keys?.FirstOrDefault(candidate => config.FindString(candidate) is not null);
        string name = key is null ? Default! : config.FindString(key)!;
        string source = key is not null ? $"{key} is {name}" : Keys is null ? name : $"{Keys[0]} is {name} by default";
        return (source, Degrees.TryGetValue(name, out int degree) ? degree : null);
    }
}
