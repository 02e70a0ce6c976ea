using Wisca.Architectures;
using Wisca.Safetensors;
using Wisca.Tests;

namespace Wisca.Core.Tests.Architectures;

/// <summary>The built-in tables, and what is said of a model that none covers.</summary>
public sealed class KnownArchitecturesTests
{
    [Fact]
    public void All_RequiredFamilies_AreThere()
    {
        string[] required =
        [
            "llama", "mistral", "mixtral", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "gemma", "gemma2", "gemma3_text", "phi", "phi3",
            "gpt2",
                "gpt_neo", "gpt_neox", "gptj", "opt", "bloom",
            "falcon", "starcoder2", "stablelm", "internlm2", "granite", "cohere", "olmo", "olmo2", "mpt", "smollm3", "gpt_bigcode",
            "codegen",
        ];
        foreach (string type in required) KnownArchitectures.Find(type).ModelTypes.ShouldContain(type);
    }

    [Theory]
    [InlineData("qwen3_mo", "qwen3_moe")]
    [InlineData("llama5", "llama")]
    [InlineData("gptneox", "gpt_neox")]
    [InlineData("gemma33", "gemma3")]
    public void Find_UnknownType_ListsTheNearestAndPointsToArchitecture(string type, string nearest)
    {
        var exception = Should.Throw<WiscaException>(() => KnownArchitectures.Find(type));
        exception.Message.ShouldContain($"'{type}'");
        exception.Message.ShouldContain(nearest);
        exception.Hint.ShouldNotBeNull().ShouldContain("--architecture");
    }

    [Theory]
    [InlineData("mamba2", "state space model")]
    [InlineData("gemma3n_text", "all normalised")]
    public void Find_TypeOfWhichNothingIsMoved_SaysWhy(string type, string reason)
    {
        var exception = Should.Throw<WiscaException>(() => KnownArchitectures.Find(type));
        exception.Message.ShouldContain($"config.json: model_type '{type}' has nothing that is moved: ");
        exception.Message.ShouldContain(reason);
    }

    [Fact]
    public void Refused_Types_HaveNoTableAndStandOnce()
    {
        string[] types = [.. KnownArchitectures.Refused.SelectMany(entry => entry.ModelTypes)];
        types.ShouldBeUnique();
        types.ShouldAllBe(type => KnownArchitectures.All.All(table => !table.Covers(type)));
        KnownArchitectures.Refused.ShouldAllBe(entry => entry.Reason.Length > 0);
    }

    /// <summary>Whoever adds a type to the list of transformers' says what becomes of it.</summary>
    [Fact]
    public void All_CausalTypesOfTransformers_HaveATableOrAReason()
    {
        string[][] types =
        [
            .. TestRepository.ReadText("tests", "Wisca.Core.Tests", "Architectures", "Transformers", "model-types.txt")
                .Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => !line.StartsWith('#')).Select(line => line.Split(' ')),
        ];
        var textModels = types.Where(entry => entry.Length == 2).ToDictionary(entry => entry[0], entry => entry[1]);
        string[] causal = [.. types.Where(entry => entry.Length == 1).Select(entry => entry[0])];
        causal.Length.ShouldBeGreaterThan(190);
        causal.Where(type => !IsSaid(type) && !(textModels.TryGetValue(type, out string? text) && IsSaid(text))).ShouldBeEmpty();

        static bool IsSaid(string type) =>
            KnownArchitectures.TryFind(type, out _, wrappers: true)
            || KnownArchitectures.Refused.Any(entry => entry.ModelTypes.Contains(type));
    }

    [Fact]
    public void Resolve_UnknownType_FailsButForATableOfTheUsers()
    {
        using var folder = new TemporaryFolder();
        var family = TinyFamilies.ByName["llama"] with { ModelType = "llama_of_my_own" };
        using var model = TinyCheckpoint.Create(family, folder["model"], Dtype.F32);
        Should.Throw<WiscaException>(() => ModelLayout.Resolve(model)).Message.ShouldContain("llama_of_my_own");

        File.WriteAllBytes(folder["own.json"], KnownArchitectures.ReadJson("llama")!);
        ModelLayout.Resolve(model, ArchitectureTable.Load(folder["own.json"])).Heads.ShouldBe(family.Heads);
    }
}
