using System.Text.Json.Nodes;
using Wisca.Tests;

namespace Wisca.Core.Tests.Architectures.Transformers;

/// <summary>One half of the model types, and what transformers has.</summary>
public sealed class TransformersFirstTests(TransformersProcess transformers) : TransformersTests(transformers)
{
    public static new TheoryData<string> Models => [.. JudgedModels.Half(0)];

    [Fact]
    public void Types_OfTransformers_AreTheListInTheRepository()
    {
        Transformers.Require();
        var answer = Transformers.Ask(new JsonObject { ["do"] = "types" });
        string[] types = [.. answer["causal"]!.AsArray().Select(type => type!.GetValue<string>())];
        string[] wrapped = [.. answer["wrapped"]!.AsObject().Select(entry => $"{entry.Key} {entry.Value!.GetValue<string>()}")];
        string list = string.Concat(
            new[]
            {
                $"# The causal model types of transformers {Transformers.Version} (MODEL_FOR_CAUSAL_LM_MAPPING_NAMES), and its multimodal",
                "# models with the type of their text model. Written by TransformersTests with WISCA_WRITE_GOLDEN=1.",
            }.Concat(types).Concat(wrapped).Select(line => line + "\n"));
        string path = TestRepository.PathOf("tests", "Wisca.Core.Tests", "Architectures", "Transformers", "model-types.txt");
        if (Judgements.Written) File.WriteAllText(path, list);
        File.ReadAllText(path).ReplaceLineEndings("\n").ShouldBe(list);
    }

    [Fact]
    public void Halves_Together_AreAllModels() =>
        JudgedModels.Half(0).Concat(JudgedModels.Half(1)).Order().ShouldBe(JudgedModels.ByName.Keys.Order());
}
