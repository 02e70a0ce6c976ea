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
    [InlineData(
        """{"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": ["q"], "lora_bias": true, "use_dora": true}""",
        "lora_bias and use_dora are both true")]
    [InlineData(
        """{"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": ["q"], "trainable_token_indices": "5"}""",
        "trainable_token_indices is neither")]
    [InlineData(
        """{"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": ["q"], "init_lora_weights": "tomorrow"}""",
        "init_lora_weights is 'tomorrow', which is not known here")]
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
    [InlineData("""["up_proj"], "layers_to_transform": [3]""", "model.layers.3.mlp.experts.0.up_proj", true)]
    [InlineData("""["up_proj"], "layers_to_transform": [0]""", "model.layers.3.mlp.experts.0.up_proj", false)]
    [InlineData("""["q_proj"], "layers_to_transform": [3], "layers_pattern": ["lay.rs"]""", "layers.3.self_attn.q_proj", true)]
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
    public void Save_OtherKeys_AreKept()
    {
        var json = JsonNode.Parse(Plain)!.AsObject();
        json["auto_mapping"] = new JsonArray(1, "zwei", null);
        json["a_key_of_tomorrow"] = false;
        json["another"] = new JsonObject();
        json["lora_dropout"] = 0.05;
        AdapterConfig.Parse(json.ToJsonString()).Save(_folder.FullPath);
        JsonNode.DeepEquals(JsonNode.Parse(File.ReadAllText(_folder["adapter_config.json"])), json).ShouldBeTrue();
    }

    [Theory]
    [InlineData("alora_invocation_tokens", "[1, 2]")]
    [InlineData("arrow_config", """{"top_k": 3}""")]
    [InlineData("corda_config", """{"corda_method": "ipm"}""")]
    [InlineData("enable_lora", "[true, false]")]
    [InlineData("kasa_config", """{"beta": 1}""")]
    [InlineData("layer_replication", "[[0, 2]]")]
    [InlineData("loftq_config", """{"loftq_bits": 4}""")]
    [InlineData("lora_ga_config", """{"direction": "ArB2r"}""")]
    [InlineData("megatron_config", """{"hidden": 1}""")]
    [InlineData("monteclora_config", """{"num_samples": 8}""")]
    [InlineData("use_bdlora", """{"nblocks": 2}""")]
    [InlineData("use_qalora", "true")]
    [InlineData("velora_config", """{"scale": 1.0}""")]
    [InlineData("a_key_of_tomorrow", "0")]
    [InlineData("another", """{"some": "thing"}""")]
    public void Parse_SwitchesThatAreNotKnown_AreRefusedByName(string key, string value)
    {
        var json = JsonNode.Parse(Plain)!.AsObject();
        json[key] = JsonNode.Parse(value);
        Should.Throw<WiscaException>(() => AdapterConfig.Parse(json.ToJsonString()))
            .Message.ShouldStartWith($"adapter_config.json: {key} is ");
        foreach (string unset in (string[])["null", "false", "{}", "[]"])
        {
            json[key] = JsonNode.Parse(unset);
            AdapterConfig.Parse(json.ToJsonString()).Rank.ShouldBe(4);
        }
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
