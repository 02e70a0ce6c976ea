using System.Text;
using System.Text.Json.Nodes;
using Wisca.Architectures;
using Wisca.Tests;

namespace Wisca.Core.Tests.Architectures;

/// <summary>Tables are read strictly.</summary>
public sealed class ArchitectureTableTests
{
    private const string Valid = """
        {
          "name": "own", "model_types": ["own"], "description": "a model of one's own", "prefixes": ["model."], "layer": "layers.${layer}.",
          "config": {
            "layers": { "keys": ["n"] }, "hidden_size": { "keys": ["d"] }, "heads": { "keys": ["h"] },
            "head_dim": { "keys": [], "default": "hidden_size / heads" }
          },
          "attention": [{
            "kv_heads": { "keys": ["kv"], "default": "heads" },
            "qkv": { "tensor": "qkv", "blocks": "1", "order": ["q", "k", "v"] }, "o": "o", "from": "norm"
          }],
          "rope": { "pairs": "half" },
          "refuse": [{ "transitions": ["qk"], "reason": "because", "when": { "key": "clip" } }],
          "model_weights": [{ "name": "embed", "to": "stream" }], "layer_weights": [{ "name": "norm", "norm": "rms", "from": "stream" }],
          "buffers": ["mask"]
        }
        """;

    [Theory]
    [InlineData("", "JSON")]
    [InlineData("null", "null is not an architecture table")]
    [InlineData("[]", "JSON")]
    [InlineData("{", "JSON")]
    public void Parse_NotATable_NamesTheFile(string json, string expected)
    {
        string message = Should.Throw<WiscaException>(() => ArchitectureTable.Parse(Encoding.UTF8.GetBytes(json), "own.json")).Message;
        message.ShouldStartWith("own.json: ");
        message.ShouldContain(expected);
        message.ShouldNotContain("\n");
    }

    [Fact]
    public void Parse_UnknownMissingOrDoubledField_NamesTheFileAndTheField()
    {
        Error(Valid.Replace("\"rope\"", "\"ropes\"")).ShouldContain("ropes");
        Error(Valid.Replace("\"keys\": [\"n\"]", "\"keys\": [\"n\"], \"key\": 1")).ShouldContain("key");
        Error(Valid.Replace("\"buffers\": [\"mask\"]", "\"buffers\": [], \"buffers\": []")).ShouldContain("buffers");
        Error(Valid.Replace("\"buffers\": [\"mask\"]", "\"without_attention\": [\"mask\"]")).ShouldContain("buffers");
        Error(Valid.Replace("\"pairs\": \"half\"", "\"pairs\": \"halves\"")).ShouldContain("rope.pairs");
        Error(Valid.Replace("[\"qk\"]", "[\"qv\"]")).ShouldContain("transitions");
    }

    [Fact]
    public void Parse_ConditionBehindAWeightWithout_IsHidden()
    {
        const string norm = "{ \"name\": \"norm\", \"norm\": \"rms\", \"from\": \"stream\" }";
        const string conditional = "{ \"name\": \"norm\", \"norm\": \"layer\", \"from\": \"stream\", \"when\": { \"key\": \"k\" } }";
        Valid.ShouldContain(norm);
        ArchitectureTable.Parse(Encoding.UTF8.GetBytes(Valid.Replace(norm, $"{conditional}, {norm}")), "own.json")
            .LayerWeights.Count.ShouldBe(2);
        Error(Valid.Replace(norm, $"{norm}, {conditional}")).ShouldContain("hides one of the same name behind it");
    }

    [Theory]
    [InlineData("name", "\"\"", "name is empty")]
    [InlineData("model_types", "[]", "model_types is empty")]
    [InlineData("model_types", "[\"own\", \"own\"]", "'own' stands twice")]
    [InlineData("model_types", "[null]", "null stands in a list")]
    [InlineData("prefixes", "[]", "prefixes is empty")]
    [InlineData("prefixes", "[\"\", \"\"]", "stands twice")]
    [InlineData("buffers", "[\"a\", null]", "null stands in a list")]
    [InlineData("attention.0.from", "[]", "an empty from or to")]
    [InlineData("attention.0.from", "\"other\"", "attention reads 'other', expected stream or a norm of layer_weights")]
    [InlineData("attention.0.to", "\"norm\"", "attention writes 'norm', expected stream or a norm of layer_weights that writes it")]
    [InlineData("layer_weights.0.name", "\"\"", "a weight without a name")]
    [InlineData("layer_weights.0.name", "\"o\"", "'o' stands twice")]
    [InlineData("layer_weights.0.norm", "\"batch\"", "norm")]
    [InlineData("layer_weights.0.to", "\"norm\"", "norm is a norm that has from and to")]
    [InlineData("layer_weights.0.stacked", "true", "norm is a norm, and has from or to")]
    [InlineData("layer_weights.0.tied", "true", "only the output projection of model_weights is tied")]
    [InlineData("layer_weights.0.from", "\"hidden\"", "norm reads 'hidden', which nothing writes")]
    [InlineData("layer_weights.0.from", "[1]", "expected a name")]
    [InlineData("layer_weights.0.from", "[]", "empty from, to or parts")]
    [InlineData("model_weights.0.to", "\"hidden\"", "embed writes 'hidden', which nothing reads; leave it out")]
    [InlineData("model_weights.0.parts", "[\"stream\"]", "embed has both to and parts")]
    [InlineData("attention.0.gate", "\"gate\"", "gate 'gate' of attention is none of layer_weights")]
    [InlineData("attention.0.from", "null", "an empty from or to")]
    [InlineData("attention.0.kv_from", "\"norm\"", "kv_from stands beside a projection that is fused")]
    [InlineData("attention.0.kv", "{ \"tensor\": \"kv\", \"blocks\": \"1\", \"order\": [\"k\", \"v\"] }", "both qkv and separate")]
    [InlineData("attention.0.value_dim", "{ \"keys\": [], \"default\": \"heads\" }", "value_dim: 'heads'")]
    [InlineData("attention.0.shared_dim", "{ \"keys\": [\"\"] }", "shared_dim.keys has an empty key")]
    [InlineData("layer_weights.0.outside", "true", "outside is said of model_weights alone")]
    [InlineData("layer_weights.0.when", "{}", "layer_weights: norm: when needs either key or tensor")]
    [InlineData("model_weights.0.when", "{ \"tensor\": \"x\" }", "model_weights: embed: when must be a condition on a key")]
    [InlineData("wrappers", "[\"a\", \"a\"]", "stands twice")]
    [InlineData("layer", "\"layers.\"", "${layer}.")]
    [InlineData("layer", "\"layers.${layer}\"", "${layer}.")]
    [InlineData("layer", "\"layers.${layer}x.\"", "${layer}.")]
    [InlineData("layer", "\"${layer}.${layer}.\"", "${layer}.")]
    [InlineData("attention", "[]", "attention is empty")]
    [InlineData("attention.0.o", "\"qkv\"", "names a projection twice")]
    [InlineData("attention.0.q", "\"q\"", "both qkv and separate")]
    [InlineData("attention.0.qkv", "null", "either qkv or q, k and v")]
    [InlineData("attention.0.qkv.tensor", "\"\"", "names a projection twice, or not at all")]
    [InlineData("attention.0.qkv.order", "[\"q\", \"k\", \"k\"]", "once each")]
    [InlineData("attention.0.qkv.order", "[\"q\", \"k\"]", "once each")]
    [InlineData("attention.0.qkv.blocks", "\"heads\"", "qkv.blocks")]
    [InlineData("attention.0.qkv.blocks", "\"0\"", "qkv.blocks")]
    [InlineData("attention.0.kv_heads.default", "\"head\"", "kv_heads: 'head' is not heads, a number in quotes")]
    [InlineData("attention.0.kv_heads.default", "\"0\"", "kv_heads: '0'")]
    [InlineData("attention.0.kv_heads.if_null", "\"all\"", "kv_heads: 'all'")]
    [InlineData("attention.0.when", "{ \"key\": \"grouped\" }", "must have no condition")]
    [InlineData("config.layers.keys", "[]", "config.layers has neither keys nor a default")]
    [InlineData("config.layers.keys", "[\"\"]", "empty key")]
    [InlineData("config.hidden_size.default", "\"heads\"", "config.hidden_size: 'heads'")]
    [InlineData("config.head_dim.default", "\"heads\"", "config.head_dim: 'heads'")]
    [InlineData("config.head_dim.if_null", "\"8\"", "if_null needs keys")]
    [InlineData("rope.dims", "{ \"keys\": [], \"default\": \"heads\" }", "rope.dims: 'heads'")]
    [InlineData("rope.factor", "{ \"keys\": [], \"default\": 0.5 }", "rope.factor.keys is empty")]
    [InlineData("rope.factor", "{ \"keys\": [\"x\"], \"default\": 2 }", "rope.factor.default")]
    [InlineData("rope.unless", "{ \"tensor\": \"x\" }", "rope.unless must be a condition on a key")]
    [InlineData("rope.layers", "{ \"key\": \"\", \"without\": 0, \"interval_key\": \"x\", \"interval_default\": 4 }", "empty key")]
    [InlineData(
        "rope.layers", "{ \"key\": \"x\", \"without\": [], \"interval_key\": \"x\", \"interval_default\": 4 }", "rope.layers.without")]
    [InlineData("rope.layers", "{ \"key\": \"x\", \"without\": 0, \"interval_key\": \"x\", \"interval_default\": 0 }", "interval_default")]
    [InlineData("refuse.0.transitions", "[]", "refuse.transitions")]
    [InlineData("refuse.0.transitions", "[\"qk\", \"qk\"]", "refuse.transitions")]
    [InlineData("refuse.0.reason", "\" \"", "refuse.reason is empty")]
    [InlineData("refuse.0.reason", "null", "reason")]
    [InlineData("refuse.0.when", "{}", "either key or tensor")]
    [InlineData("refuse.0.when", "{ \"key\": \"a\", \"tensor\": \"b\" }", "either key or tensor")]
    [InlineData("refuse.0.when", "{ \"tensor\": \"b\", \"is\": 1 }", "neither is nor default")]
    public void Parse_ContradictoryField_SaysWhatIsWrong(string field, string value, string expected) =>
        Error(With(field, value)).ShouldContain(expected);

    [Fact]
    public void Parse_RopeNoneWithDetails_IsRefused()
    {
        var json = JsonNode.Parse(Valid)!;
        json["rope"] = JsonNode.Parse("""{ "pairs": "none", "unless": { "key": "alibi" } }""");
        Error(json.ToJsonString()).ShouldContain("rope.pairs is none");
        json["rope"] = JsonNode.Parse("""{ "pairs": "half", "dims": { "keys": ["r"] }, "factor": { "keys": ["f"], "default": 1 } }""");
        Error(json.ToJsonString()).ShouldContain("both dims and factor");
    }

    [Fact]
    public void Parse_EarlierLayoutWithoutOrWithATensorCondition_IsRefused()
    {
        var json = JsonNode.Parse(Valid)!;
        json["attention"]!.AsArray().Insert(0, json["attention"]![0]!.DeepClone());
        Error(json.ToJsonString()).ShouldContain("hides those behind it");
        json["attention"]![0]!["when"] = JsonNode.Parse("""{ "tensor": "x" }""");
        Error(json.ToJsonString()).ShouldContain("attention.when must be a condition on a key");
        json["attention"]![0]!["when"] = JsonNode.Parse("""{ "key": "x" }""");
        Parse(json.ToJsonString()).Attention.Count.ShouldBe(2);
    }

    [Fact]
    public void Parse_AnyValueReplacedByNullOrAnotherKind_IsATableOrOneLineThatNamesTheFile()
    {
        // Whatever an author writes: no other exception escapes.
        foreach (string name in (string[])["falcon", "smollm3", "mpt", "gptj", "stablelm", "gemma3_text"])
        {
            string text = Encoding.UTF8.GetString(KnownArchitectures.ReadJson(name)!);
            string[] leaves = [.. text.Split('"').Where(part => part.Length > 1 && !part.Contains('\n')).Distinct()];
            foreach (string leaf in leaves)
            {
                foreach (string other in (string[])["null", "3", "[]", "{}", "\"\"", "true", "-1.5", "\"heads\""])
                {
                    string mutant = text.Replace($"\"{leaf}\"", other);
                    try
                    {
                        Parse(mutant);
                    }
                    catch (WiscaException exception)
                    {
                        exception.Message.ShouldStartWith("own.json: ");
                        exception.Message.ShouldNotContain("\n");
                    }
                }
            }
        }
    }

    [Fact]
    public void Parse_ByteOrderMarkAndToJson_GiveTheSameTable()
    {
        foreach (var table in KnownArchitectures.All)
        {
            byte[] json = KnownArchitectures.ReadJson(table.Name)!;
            ArchitectureTable.Parse([0xEF, 0xBB, 0xBF, .. json], "own.json").ToJson().ShouldBe(table.ToJson());
            Parse(table.ToJson()).ToJson().ShouldBe(table.ToJson());
        }
    }

    [Fact]
    public void Load_FileOfTheUsers_IsRead()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["own.json"], Valid);
        ArchitectureTable.Load(folder["own.json"]).Name.ShouldBe("own");
        File.WriteAllText(folder["broken.json"], "{}");
        Should.Throw<WiscaException>(() => ArchitectureTable.Load(folder["broken.json"])).Message.ShouldStartWith("broken.json: ");
        Should.Throw<WiscaException>(() => ArchitectureTable.Load(folder["none.json"])).Message.ShouldContain("none.json");
        Should.Throw<WiscaException>(() => ArchitectureTable.Load(folder.FullPath)).Hint.ShouldNotBeNull().ShouldContain("--architecture");
    }

    private static ArchitectureTable Parse(string json) => ArchitectureTable.Parse(Encoding.UTF8.GetBytes(json), "own.json");

    private static string Error(string json)
    {
        string message = Should.Throw<WiscaException>(() => Parse(json)).Message;
        message.ShouldStartWith("own.json: ");
        message.ShouldNotContain("\n");
        return message;
    }

    /// <summary>The valid table with one value replaced.</summary>
    private static string With(string field, string value)
    {
        Parse(Valid).Name.ShouldBe("own");
        var json = JsonNode.Parse(Valid)!;
        string[] path = field.Split('.');
        var parent = path[..^1].Aggregate(json, (node, key) => int.TryParse(key, out int index) ? node[index]! : node[key]!);
        parent[path[^1]] = JsonNode.Parse(value);
        return json.ToJsonString();
    }
}
