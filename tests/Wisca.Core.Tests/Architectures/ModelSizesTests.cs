using System.Text.Json.Nodes;
using Wisca.Architectures;
using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Inspection;
using Wisca.Rescaling;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Architectures;

/// <summary>A configuration that says a number twice and differently is refused; which of the two rules is never guessed.</summary>
public sealed class ModelSizesTests
{
    private const string Llama = "'model_type':'llama','num_hidden_layers':2,'hidden_size':16,'num_attention_heads':4";
    private const string Phi = "'model_type':'phi','num_hidden_layers':2,'hidden_size':32,'num_attention_heads':4";
    private const string NeoX = "'model_type':'gpt_neox','num_hidden_layers':2,'hidden_size':32,'num_attention_heads':4";
    private const string GptJ = "'model_type':'gptj','n_layer':2,'n_embd':32,'n_head':4";
    private const string Gemma = "'model_type':'gemma3_text','num_hidden_layers':2,'hidden_size':16,'head_dim':4";

    public static TheoryData<string, string> SeveralKeys =>
    [
        .. from table in KnownArchitectures.All
        from number in Numbers(table)
        from pair in number.Zip(number.Skip(1))
        select (TheoryDataRow<string, string>)(table.Name, $"{pair.First} {pair.Second}"),
    ];

    [Theory]
    [MemberData(nameof(SeveralKeys))]
    public void Read_AnyTwoKeysOfAnyTable_MustAgree(string table, string pair)
    {
        string[] keys = pair.Split(' ');
        var stated = new JsonObject { ["model_type"] = table, ["new_decoder_architecture"] = true };
        foreach (var number in Numbers(KnownArchitectures.Find(table)).Where(number => !number.Intersect(keys).Any()))
            Set(stated, number[0], IsWidth(number[0]) ? 64 : number[0] == "head_dim" ? 16 : 4);
        JsonObject With(double first, double second)
        {
            var both = stated.DeepClone().AsObject();
            Set(both, keys[0], first);
            Set(both, keys[1], second);
            return both;
        }

        bool share = keys[0].Contains("rot") || keys[0].Contains("rope");
        double value = share ? 0.25 : IsWidth(keys[0]) ? 64 : 4;
        ModelSizes.Read(ModelConfig.Parse(With(value, value).ToJsonString())).HiddenSize.ShouldBe(64);
        var error = Should.Throw<WiscaException>(() => ModelSizes.Read(ModelConfig.Parse(With(value, value * 2).ToJsonString())));
        error.Message.ShouldBe(FormattableString.Invariant($"config.json: {keys[0]} is {value}, but {keys[1]} is {value * 2}"));
        error.Hint!.ShouldStartWith("take out the one that does not hold");

        static bool IsWidth(string key) => key is "hidden_size" or "n_embd" or "n_embed" or "d_model";
    }

    // What transformers 5.24 calls attribute_map: the second name is another spelling of the first.
    [Theory]
    [InlineData("bloom", "num_hidden_layers", "n_layer")]
    [InlineData("bloom", "num_attention_heads", "n_head")]
    [InlineData("codegen", "hidden_size", "n_embd")]
    [InlineData("codegen", "num_attention_heads", "n_head")]
    [InlineData("codegen", "num_hidden_layers", "n_layer")]
    [InlineData("gpt2", "hidden_size", "n_embd")]
    [InlineData("gpt2", "num_attention_heads", "n_head")]
    [InlineData("gpt2", "num_hidden_layers", "n_layer")]
    [InlineData("gpt_bigcode", "hidden_size", "n_embd")]
    [InlineData("gpt_bigcode", "num_attention_heads", "n_head")]
    [InlineData("gpt_bigcode", "num_hidden_layers", "n_layer")]
    [InlineData("gpt_neo", "num_attention_heads", "num_heads")]
    [InlineData("gpt_neo", "num_hidden_layers", "num_layers")]
    [InlineData("gptj", "hidden_size", "n_embd")]
    [InlineData("gptj", "num_attention_heads", "n_head")]
    [InlineData("gptj", "num_hidden_layers", "n_layer")]
    [InlineData("mpt", "num_attention_heads", "n_heads")]
    [InlineData("mpt", "hidden_size", "d_model")]
    [InlineData("mpt", "num_hidden_layers", "n_layers")]
    public void Table_AttributeMapOfTransformers_IsInTheKeysOfOneNumber(string table, string name, string other) =>
        Numbers(KnownArchitectures.Find(table)).ShouldContain(keys => keys.Contains(name) && keys.Contains(other));

    [Theory]
    [InlineData(Llama + ",'n_head':8", "num_attention_heads is 4, but n_head is 8")]
    [InlineData(Llama + ",'n_layer':8", "num_hidden_layers is 2, but n_layer is 8")]
    [InlineData(Llama + ",'n_embd':64", "hidden_size is 16, but n_embd is 64")]
    [InlineData(Llama + ",'num_key_value_heads':2,'n_head_kv':4", "num_key_value_heads is 2, but n_head_kv is 4")]
    [InlineData(Llama + ",'num_key_value_heads':2,'num_kv_heads':1", "num_key_value_heads is 2, but num_kv_heads is 1")]
    [InlineData(Llama + ",'intermediate_size':2,'n_inner':1", "intermediate_size is 2, but n_inner is 1")]
    [InlineData(Llama + ",'rms_norm_eps':1e-5,'layer_norm_epsilon':1e-6", "rms_norm_eps is 1e-5, but layer_norm_epsilon is 1e-6")]
    [InlineData(Llama + ",'rms_norm_eps':1e-5,'norm_eps':1e-6", "rms_norm_eps is 1e-5, but norm_eps is 1e-6")]
    [InlineData(
        GptJ + ",'rotary_dim':4,'n_positions':64,'max_position_embeddings':8",
        "max_position_embeddings is 8, but n_positions is 64")]
    [InlineData(
        Llama + ",'rope_scaling':{'type':'linear','factor':2},'rope_parameters':{'rope_type':'default'}",
        "rope_scaling.type is 'linear', but rope_parameters.rope_type is 'default'")]
    [InlineData(
        Llama + ",'rope_scaling':{'type':'linear','factor':2},'rope_parameters':{'rope_theta':10000}",
        "rope_scaling.type is 'linear', but rope_parameters.rope_type is 'default'")]
    [InlineData(
        Llama + ",'rope_scaling':{'type':'linear','rope_type':'dynamic','factor':2}",
        "rope_scaling.rope_type is 'dynamic', but rope_scaling.type is 'linear'")]
    [InlineData(
        Phi + ",'partial_rotary_factor':0.25,'rope_parameters':{'partial_rotary_factor':0.5}",
        "config.json: partial_rotary_factor is 0.25, but rope_parameters.partial_rotary_factor is 0.5")]
    [InlineData(
        Phi + ",'partial_rotary_factor':0.25,'rope_scaling':{'type':'linear','partial_rotary_factor':0.5}",
        "config.json: partial_rotary_factor is 0.25, but rope_scaling.partial_rotary_factor is 0.5")]
    [InlineData(
        Phi + ",'rope_parameters':{'full_attention':{'partial_rotary_factor':0.25},'sliding_attention':{'partial_rotary_factor':0.5}}",
        "rope_parameters.full_attention.partial_rotary_factor is 0.25, but rope_parameters.sliding_attention.partial_rotary_factor is 0.5")]
    [InlineData(Phi + ",'rotary_pct':0.25", "rotary_pct is 0.25, but a phi model with this configuration rotates 4 of 8 channels")]
    [InlineData(Phi + ",'rotary_dim':2", "rotary_dim is 2, but the number of rotated channels of a phi model")]
    [InlineData(NeoX + ",'rotary_pct':0.25,'partial_rotary_factor':0.5", "rotary_pct is 0.25, but partial_rotary_factor is 0.5")]
    [InlineData(NeoX + ",'rotary_emb_base':10000,'rope_theta':500", "rope_theta is 500, but rotary_emb_base is 10000")]
    [InlineData(NeoX + ",'head_dim':16", "head_dim is 16, but the head_dim of a gpt_neox model with this configuration is 8")]
    [InlineData(GptJ + ",'rotary_dim':4,'partial_rotary_factor':1.0", "partial_rotary_factor is 1, but a gptj model")]
    [InlineData(Llama + ",'partial_rotary_factor':0.5", "partial_rotary_factor is 0.5, but a llama model")]
    [InlineData(Llama + ",'rope_parameters':{'partial_rotary_factor':0.5}", "rope_parameters.partial_rotary_factor is 0.5, but a llama")]
    [InlineData(Llama + ",'rope_theta':10000,'rope_parameters':{'rope_theta':500}", "rope_theta is 10000, but rope_parameters.rope_theta")]
    [InlineData(
        Llama + ",'rope_scaling':{'rope_type':'linear','factor':2},'rope_parameters':{'rope_type':'linear','factor':4}",
        "rope_scaling.factor is 2, but rope_parameters.factor is 4")]
    [InlineData(
        Gemma + ",'rope_local_base_freq':100,'rope_parameters':{'sliding_attention':{'rope_theta':10}}",
        "rope_local_base_freq is 100, but rope_parameters.sliding_attention.rope_theta is 10")]
    [InlineData(
        Gemma + ",'rope_theta':100,'rope_parameters':{'full_attention':{'rope_theta':10}}",
        "rope_theta is 100, but rope_parameters.full_attention.rope_theta is 10")]
    [InlineData(
        "'model_type':'gpt_bigcode','n_layer':2,'n_embd':32,'n_head':4,'multi_query':true,'num_key_value_heads':4",
        "num_key_value_heads is 4, but the number of kv heads of a gpt_bigcode model with this configuration is 1")]
    [InlineData(
        "'model_type':'llava','num_attention_heads':8,'text_config':{" + Llama + "}",
        "config.json: num_attention_heads is 8, but text_config.num_attention_heads is 4")]
    [InlineData(
        "'model_type':'llava','partial_rotary_factor':0.25,'text_config':{" + Phi + ",'partial_rotary_factor':0.5}",
        "config.json: partial_rotary_factor is 0.25, but text_config.partial_rotary_factor is 0.5")]
    public void Read_SpellingsThatDisagree_AreRefusedByName(string config, string expected) =>
        Should.Throw<WiscaException>(() => Read(config)).Message.ShouldContain(expected);

    [Theory]
    [InlineData(Phi + ",'partial_rotary_factor':0.5,'rope_parameters':{'partial_rotary_factor':0.5,'rope_theta':100},'rope_theta':1e2", 4)]
    [InlineData(Phi + ",'rope_parameters':{'full_attention':{'partial_rotary_factor':0.25}},'partial_rotary_factor':0.25", 2)]
    [InlineData(Phi + ",'partial_rotary_factor':null,'rope_scaling':{'partial_rotary_factor':0.25},'rotary_dim':2", 2)]
    [InlineData(NeoX + ",'rotary_pct':0.25,'head_dim':8,'num_key_value_heads':4", 2)]
    [InlineData(GptJ + ",'rotary_dim':4,'partial_rotary_factor':0.5", 4)]
    [InlineData(Llama + ",'partial_rotary_factor':1.0,'head_dim':4", 4)]
    [InlineData(Llama + ",'n_head':4,'n_layer':2,'n_embd':16,'n_inner':null,'rms_norm_eps':1e-5,'norm_eps':0.00001", 4)]
    [InlineData(Llama + ",'rope_scaling':{'type':'mrope','rope_type':'default'},'rope_parameters':{'rope_theta':10000}", 4)]
    [InlineData(Llama + ",'rope_scaling':{'type':'su'},'rope_parameters':{'rope_type':'longrope'}", 4)]
    [InlineData(Gemma + ",'num_attention_heads':4,'rope_scaling':{'rope_type':'linear','factor':8},'rope_parameters':{"
        + "'full_attention':{'rope_type':'linear','factor':8},'sliding_attention':{'rope_type':'default'}}", 4)]
    [InlineData("'model_type':'llava','hidden_size':7,'num_hidden_layers':2,'text_config':{" + Llama + "}", 4)]
    [InlineData("'model_type':'falcon','hidden_size':32,'n_layer':2,'n_head':4,'multi_query':true,'num_kv_heads':4", 8)]
    public void Read_SpellingsThatAgree_AreFine(string config, int rotated) => Read(config).RotaryDims.ShouldBe(rotated);

    [Fact]
    public void EveryVerb_KnownCase_IsRefused()
    {
        string folder = TestData.Require("cases", "v5-partial-rotary-conflict", "model");
        using var model = Checkpoint.Open(folder);
        using var output = new TemporaryFolder();
        const string expected = "config.json: partial_rotary_factor is 0.25, but rope_parameters.partial_rotary_factor is 0.5";
        Should.Throw<WiscaException>(() => Inspector.Inspect(model)).Message.ShouldBe(expected);
        Should.Throw<WiscaException>(() => Rescaler.Rescale(model, output["out"], new RescaleOptions())).Message.ShouldBe(expected);
        Should.Throw<WiscaException>(() => Certifier.Compare(model, model)).Message.ShouldBe(expected);
        Directory.Exists(output["out"]).ShouldBeFalse();
    }

    [Fact]
    public void Wrapper_KnownCase_IsRescaledAndProved()
    {
        string folder = TestData.Require("cases", "wrapper-of-known-family", "llava");
        using var model = Checkpoint.Open(folder);
        using var output = new TemporaryFolder();
        Rescaler.Rescale(model, output["out"], new RescaleOptions { QueryKey = Granularity.KvHead })
            .Move!.Groups.ShouldContain(group => group.Factor != 1);
        using var written = Checkpoint.Open(output["out"]);
        Certifier.Compare(model, written).Equivalent.ShouldBeTrue();
    }

    private static ModelSizes Read(string config) => ModelSizes.Read(ModelConfig.Parse("{" + config.Replace('\'', '"') + "}"));

    private static IEnumerable<IReadOnlyList<string>> Numbers(ArchitectureTable table) =>
        ((IReadOnlyList<string>[])
        [
            table.Config.HiddenSize.Keys, table.Config.Heads.Keys, table.Config.Layers.Keys, table.Config.HeadDim.Keys,
            .. table.Attention.Select(layout => layout.KvHeads.Keys), table.Rope.Dims?.Keys ?? [], table.Rope.Factor?.Keys ?? [],
        ]).Where(keys => keys.Count > 0);

    private static void Set(JsonObject root, string path, double value)
    {
        string[] parts = path.Split('.');
        foreach (string part in parts[..^1]) root = (root[part] ??= new JsonObject()).AsObject();
        root[parts[^1]] = value == Math.Floor(value) ? JsonValue.Create((int)value) : JsonValue.Create(value);
    }
}
