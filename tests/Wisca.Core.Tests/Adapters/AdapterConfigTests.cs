using System.Text.Json.Nodes;
using Wisca.Adapters;
using Wisca.Tests;

namespace Wisca.Core.Tests.Adapters;

public sealed class AdapterConfigTests : IDisposable
{
    private const string Plain = """{"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj"]}""";
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("""{"r": 4, "lora_alpha": 16, "target_modules": ["q"]}""", "no peft_type")]
    [InlineData("""{"peft_type": "IA3", "r": 4, "lora_alpha": 16, "target_modules": ["q"]}""", "peft_type is 'IA3'")]
    [InlineData("""{"peft_type": "LORA", "lora_alpha": 16, "target_modules": ["q"]}""", "no r ")]
    [InlineData("""{"peft_type": "LORA", "r": 0, "lora_alpha": 16, "target_modules": ["q"]}""", "r is 0")]
    [InlineData("""{"peft_type": "LORA", "r": 4, "target_modules": ["q"]}""", "no lora_alpha")]
    [InlineData("""{"peft_type": "LORA", "r": 4, "lora_alpha": "16", "target_modules": ["q"]}""", "lora_alpha is \"16\"")]
    [InlineData("""{"peft_type": "LORA", "r": 4, "lora_alpha": 16}""", "no target_modules")]
    [InlineData("""{"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": []}""", "target_modules")]
    [InlineData("""{"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": "(q"}""", "not a regular expression")]
    [InlineData("""{"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": ["q"], "lora_dropout": 1}""", "lora_dropout is 1")]
    [InlineData("""{"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": ["q"], "bias": "some"}""", "bias is 'some'")]
    [InlineData(
        """{"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": ["q"], "rank_pattern": {"q": 0}}""",
        "rank_pattern['q'] is 0")]
    [InlineData(
        """{"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": ["q"], "alpha_pattern": {"q": "x"}}""",
        "alpha_pattern['q']")]
    [InlineData(
        """{"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": "q", "layers_to_transform": [1]}""",
        "layers_to_transform")]
    [InlineData("""{"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": ["q"], "use_qalora": true}""", "use_qalora is set")]
    [InlineData("""{"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": ["q"], "lora_bias": true}""", "lora_bias is set")]
    [InlineData(
        """{"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": ["q"], "target_parameters": ["experts.up"]}""",
        "target_parameters is set")]
    [InlineData(
        """{"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": ["q"], "layer_replication": [[0, 2]]}""",
        "layer_replication is set")]
    [InlineData("""{"peft_type": "LORA", "r": 4, "r": 8}""", "names a key twice")]
    [InlineData("[]", "not a JSON object")]
    public void Parse_BadConfiguration_NamesTheKey(string json, string expected) =>
        Should.Throw<WiscaException>(() => AdapterConfig.Parse(json)).Message.ShouldContain(expected);

    [Theory]
    [InlineData("""["q_proj"]""", "model.layers.3.self_attn.q_proj", true)]
    [InlineData("""["proj"]""", "model.layers.3.self_attn.q_proj", false)]
    [InlineData("""["layers.3.self_attn.q_proj"]""", "model.layers.3.self_attn.q_proj", true)]
    [InlineData("\".*\\\\.[qv]_proj\"", "model.layers.3.self_attn.v_proj", true)]
    [InlineData("\"q_proj\"", "model.layers.3.self_attn.q_proj", false)]
    [InlineData("\"all-linear\"", "model.layers.3.mlp.up_proj", true)]
    [InlineData("""["q_proj"], "layers_to_transform": [1, 2]""", "model.layers.3.self_attn.q_proj", false)]
    [InlineData("""["q_proj"], "layers_to_transform": 3""", "model.layers.3.self_attn.q_proj", true)]
    [InlineData("""["q_proj"], "layers_to_transform": [3], "layers_pattern": "h" """, "model.layers.3.self_attn.q_proj", false)]
    [InlineData("""["q_proj"], "exclude_modules": ["layers.3.self_attn.q_proj"]""", "model.layers.3.self_attn.q_proj", false)]
    public void Adapts_ModuleNames_AsPeftReadsThem(string targets, string module, bool expected) =>
        AdapterConfig
            .Parse($$"""{"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": {{targets}}}""")
            .Adapts(module)
            .ShouldBe(expected);

    [Fact]
    public void ScaleOf_Patterns_TheFirstThatMatchesTheEndHolds()
    {
        var config = AdapterConfig.Parse("""
            {"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": ["q_proj"], "use_rslora": true,
             "rank_pattern": {"layers.1.*q_proj": 9, "q_proj": 25}, "alpha_pattern": {"q_proj": 10}}
            """);
        config.RankOf("m.layers.1.self_attn.q_proj").ShouldBe(9);
        config.RankOf("m.layers.2.self_attn.q_proj").ShouldBe(25);
        config.RankOf("m.layers.2.self_attn.v_proj").ShouldBe(4);
        config.ScaleOf("m.layers.1.self_attn.q_proj").ShouldBe(10 / 3.0, 1e-15);
        config.ScaleOf("m.layers.2.self_attn.v_proj").ShouldBe(8);
        config.Doubled().ScaleOf("m.layers.1.self_attn.q_proj").ShouldBe(10 / 3.0, 1e-14);
        config.Doubled().RankOf("m.layers.1.self_attn.q_proj").ShouldBe(18);
    }

    [Fact]
    public void Save_UnknownKeys_AreKept()
    {
        var json = JsonNode.Parse(Plain)!.AsObject();
        json["a_key_of_tomorrow"] = new JsonArray(1, "zwei", null);
        json["lora_dropout"] = 0.05;
        AdapterConfig.Parse(json.ToJsonString()).Save(_folder.FullPath);
        JsonNode.DeepEquals(JsonNode.Parse(File.ReadAllText(_folder["adapter_config.json"])), json).ShouldBeTrue();
    }

    [Theory]
    [InlineData("pissa_niter_4", true)]
    [InlineData("olora", true)]
    [InlineData("loftq", true)]
    [InlineData("gaussian", false)]
    [InlineData("eva", false)]
    public void ChangesBase_Initializations_AreTold(string name, bool expected)
    {
        var json = JsonNode.Parse(Plain)!.AsObject();
        json["init_lora_weights"] = name;
        AdapterConfig.Parse(json.ToJsonString()).ChangesBase.ShouldBe(expected);
    }

    [Fact]
    public void Create_EverySetting_IsReadAgain()
    {
        var config = AdapterConfig.Create(new AdapterSettings
        {
            Targets = TargetModules.Of("q_proj", "up_proj"),
            Rank = 5,
            Alpha = 12.5,
            Ranks = [("up_proj", 2)],
            Alphas = [("q_proj", 3)],
            RankStabilized = true,
            Dora = true,
            Dropout = 0.1,
            Initialization = LoraInitialization.Gaussian, SavedModules = ["lm_head"], Layers = [0, 2], BaseName = "a/b",
        });
        (config.Rank, config.Alpha, config.RankStabilized, config.Dora, config.Dropout, config.Initialization, config.BaseName).ShouldBe(
            (5, 12.5, true, true, 0.1, LoraInitialization.Gaussian, "a/b"));
        config.RankOf("m.layers.0.mlp.up_proj").ShouldBe(2);
        config.ScaleOf("m.layers.0.a.q_proj").ShouldBe(3 / Math.Sqrt(5), 1e-15);
        config.Adapts("m.layers.1.a.q_proj").ShouldBeFalse();
        config.Adapts("m.layers.2.a.q_proj").ShouldBeTrue();
        config.Saves("lm_head").ShouldBeTrue();
        config.ScaleOf("other").ShouldBe(12.5 / Math.Sqrt(5), 1e-15);
    }
}
