using System.Text.Json.Nodes;
using Wisca.Tests;

namespace Wisca.Core.Tests.Architectures.Transformers;

/// <summary>The outcomes in the repository, <c>judgements.json</c>.</summary>
internal static class Judgements
{
    private const string Variable = "WISCA_WRITE_GOLDEN";

    // Classes that judge side by side write the same files.
    private static readonly Lock Writing = new();

    /// <summary>True where they are to be written anew.</summary>
    public static bool Written => Environment.GetEnvironmentVariable(Variable) == "1";

    private static string FilePath =>
        TestRepository.PathOf("tests", "Wisca.Core.Tests", "Architectures", "Transformers", "judgements.json");

    /// <summary>The version of transformers that judged, and its outcomes by model.</summary>
    public static (string Version, IReadOnlyDictionary<string, string> ByModel) Read()
    {
        using var reading = Writing.EnterScope();
        var json = JsonNode.Parse(File.ReadAllText(FilePath))!;
        return (
            json["transformers"]!.GetValue<string>(),
            json["models"]!.AsObject().ToDictionary(
                model => model.Key,
                model => model.Value!.ToJsonString().Replace("{", "{ ").Replace("}", " }").Replace(":", ": ").Replace(",", ", ")));
    }

    /// <summary>Puts an outcome in its place, and takes out those of models that are no more.</summary>
    public static void Write(string version, string name, Judgement judgement)
    {
        using var writing = Writing.EnterScope();
        var all = File.Exists(FilePath) ? Read().ByModel.ToDictionary() : [];
        all[name] = judgement.ToString();
        var lines = JudgedModels.ByName.Keys.Where(all.ContainsKey).Order(StringComparer.Ordinal)
            .Select(model => $"    \"{model}\": {all[model]}");
        File.WriteAllText(
            FilePath, $"{{\n  \"transformers\": \"{version}\",\n  \"models\": {{\n{string.Join(",\n", lines)}\n  }}\n}}\n");
    }

    private static string ScalingsPath =>
        TestRepository.PathOf("tests", "Wisca.Core.Tests", "Architectures", "Transformers", "scalings.json");

    /// <summary>What of each model's MLPs and norms was scaled and kept its logits, and what moved them when it was forced.</summary>
    public static Dictionary<string, string> Scalings()
    {
        using var reading = Writing.EnterScope();
        return JsonNode.Parse(File.ReadAllText(ScalingsPath))!.AsObject()
            .ToDictionary(model => model.Key, model => model.Value!.GetValue<string>(), StringComparer.Ordinal);
    }

    /// <summary>Puts what was scaled of a model in its place.</summary>
    public static void WriteScalings(string name, string outcome)
    {
        using var writing = Writing.EnterScope();
        var all = File.Exists(ScalingsPath) ? Scalings() : [];
        all[name] = outcome;
        var lines = JudgedModels.ByName.Keys.Where(model => all.GetValueOrDefault(model, "") != "").Order(StringComparer.Ordinal)
            .Select(model => $"  \"{model}\": \"{all[model]}\"");
        File.WriteAllText(ScalingsPath, $"{{\n{string.Join(",\n", lines)}\n}}\n");
    }

    private static string RotationsPath =>
        TestRepository.PathOf("tests", "Wisca.Core.Tests", "Architectures", "Transformers", "rotations.json");

    /// <summary>What of each model was rotated and kept its logits; models without a rotation are left out.</summary>
    public static Dictionary<string, string> Rotations()
    {
        using var reading = Writing.EnterScope();
        return JsonNode.Parse(File.ReadAllText(RotationsPath))!.AsObject()
            .ToDictionary(model => model.Key, model => model.Value!.GetValue<string>(), StringComparer.Ordinal);
    }

    /// <summary>Puts what was rotated of a model in its place.</summary>
    public static void WriteRotations(string name, string outcome)
    {
        using var writing = Writing.EnterScope();
        var all = File.Exists(RotationsPath) ? Rotations() : [];
        all[name] = outcome;
        var lines = JudgedModels.ByName.Keys.Where(model => all.GetValueOrDefault(model, "") != "").Order(StringComparer.Ordinal)
            .Select(model => $"  \"{model}\": \"{all[model]}\"");
        File.WriteAllText(RotationsPath, $"{{\n{string.Join(",\n", lines)}\n}}\n");
    }
}
