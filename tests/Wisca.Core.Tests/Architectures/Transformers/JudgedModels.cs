using System.Text.Json.Nodes;
using Wisca.Tests;

namespace Wisca.Core.Tests.Architectures.Transformers;

/// <summary>The models of <c>models.json</c>.</summary>
internal static class JudgedModels
{
    public static IReadOnlyDictionary<string, JudgedModel> ByName { get; } = Read().ToDictionary(model => model.Name);

    /// <summary>The models of every other model type, from the first (0) or the second (1) on.</summary>
    public static IEnumerable<string> Half(int which) => ByName.Values
        .GroupBy(model => model.ModelType)
        .Where((_, number) => number % 2 == which)
        .SelectMany(models => models.Select(model => model.Name));

    private static IEnumerable<JudgedModel> Read()
    {
        var json = JsonNode.Parse(TestRepository.ReadText("tests", "Wisca.Core.Tests", "Architectures", "Transformers", "models.json"))!;
        foreach (var (name, config) in json.AsObject())
        {
            var copy = config!.DeepClone().AsObject();
            copy.Remove("model_type", out var type);
            yield return new JudgedModel(name, type?.GetValue<string>() ?? name.Split(',')[0], copy);
        }
    }
}
