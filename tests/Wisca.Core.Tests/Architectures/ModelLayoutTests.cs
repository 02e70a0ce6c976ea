using System.Text;
using System.Text.Json.Nodes;
using Wisca.Architectures;
using Wisca.Attention;
using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Inspection;
using Wisca.Rescaling;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Architectures;

/// <summary>A checkpoint that does not fit its table is refused, group by group or whole, with a reason.</summary>
public sealed class ModelLayoutTests
{
    private static readonly TinyFamily Llama = TinyFamilies.ByName["llama"];

    [Theory]
    [InlineData("self_attn.q_norm.weight:4")]
    [InlineData("self_attn.gate_proj.weight:D,D")]
    [InlineData("self_attn.rotary_emb.weight:2")]
    [InlineData("self_attn.k_scale:1")]
    public void Resolve_TensorThatTheTableDoesNotKnow_RefusesTheLayer(string tensor)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyCheckpoint.Create(Llama with { Others = [.. Llama.Others, tensor] }, folder["model"]);
        foreach (var layer in ModelLayout.Resolve(model).Layers)
        {
            foreach (var kind in (TransitionKind[])[.. AttentionGeometry.Kinds]) layer.Refusals[kind].ShouldContain(tensor.Split(':')[0]);
        }

        Should
            .Throw<WiscaException>(() => Rescaler.Rescale(model, folder["out"], new RescaleOptions()))
            .Message.ShouldContain("no transition applies");
    }

    [Theory]
    [InlineData("self_attn.q_proj.weight_scale:16", TransitionKind.QueryKey)]
    [InlineData("self_attn.k_proj.lora_A.weight:2,D", TransitionKind.QueryKey)]
    [InlineData("self_attn.v_proj.scales:8", TransitionKind.ValueOutput)]
    [InlineData("self_attn.o_proj.g_idx:16", TransitionKind.ValueOutput)]
    public void Resolve_PackedOrAdaptedProjection_RefusesItsTransitionOnly(string tensor, TransitionKind kind)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyCheckpoint.Create(Llama with { Others = [.. Llama.Others, tensor] }, folder["model"]);
        var refusals = ModelLayout.Resolve(model).Layers[0].Refusals;
        refusals.Keys.ShouldBe([kind]);
        refusals[kind].ShouldContain("packed or adapted");
        Rescaler.Rescale(model, folder["out"], new RescaleOptions()).Solution.Plan.Exchanges.ShouldAllBe(exchange => exchange.Kind != kind);
    }

    [Theory]
    [InlineData("self_attn.q_proj.weight", TransitionKind.QueryKey)]
    [InlineData("self_attn.k_proj.bias", TransitionKind.QueryKey)]
    [InlineData("self_attn.o_proj.weight", TransitionKind.ValueOutput)]
    public void Resolve_ElementTypeThatIsNotRescaled_RefusesItsTransitionInOneReasonForAllLayers(string tensor, TransitionKind kind)
    {
        using var folder = new TemporaryFolder();
        var family = TinyFamilies.ByName["llama, biases"];
        using (TinyCheckpoint.Create(family, folder["model"], Dtype.F32))
        {
        }

        // The same bytes, called integers.
        string path = folder["model", Checkpoint.WeightsName];
        byte[] bytes = File.ReadAllBytes(path);
        int length = (int)BitConverter.ToInt64(bytes);
        var header = JsonNode.Parse(bytes.AsSpan(8, length))!;
        for (int layer = 0; layer < family.Layers; layer++) header[$"model.layers.{layer}.{tensor}"]!["dtype"] = "I32";
        byte[] changed = Encoding.UTF8.GetBytes(header.ToJsonString().PadRight(length));
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)changed.Length), .. changed, .. bytes.AsSpan(8 + length)]);
        using var model = Checkpoint.Open(folder["model"]);
        var plan = Rescaler.DryRun(model, new RescaleOptions()).Solution.Plan;
        var refusal = plan.Refusals.ShouldHaveSingleItem();
        refusal.Kind.ShouldBe(kind);
        refusal.Layers.ShouldBe([0, 1]);
        refusal.Reason.ShouldBe($"{tensor} is stored as I32, which is not rescaled");
    }

    [Fact]
    public void Resolve_ProjectionWithoutWeight_IsRefusedAndStillInspected()
    {
        using var folder = new TemporaryFolder();
        using var model = TinyCheckpoint.Create(Llama with { Q = "self_attn.q_proj.packed" }, folder["model"]);
        var layer = Inspector.Inspect(model).Layers[0];
        layer.Refusals[TransitionKind.QueryKey].ShouldContain("q_proj");
        layer.Query.ShouldBeNull();
        layer.QueryKeyRatio.ShouldBeNull();
        layer.ValueOutputExact.ShouldNotBeEmpty();
    }

    [Theory]
    [InlineData("'num_attention_heads':{H}", "'num_attention_heads':3,'head_dim':4", "3 query heads cannot share 2 kv heads")]
    [InlineData("'num_attention_heads':{H},", "", "no num_attention_heads")]
    [InlineData("'num_hidden_layers':{L},", "", "no num_hidden_layers")]
    [InlineData("'hidden_size':{D}", "'hidden_size':18", "hidden size 18 is not a multiple of 4 heads")]
    [InlineData("'hidden_size':{D}", "'hidden_size':-1", "hidden_size is -1")]
    [InlineData("'hidden_size':{D}", "'hidden_size':'16'", "hidden_size is \"16\"")]
    [InlineData("'num_key_value_heads':{KV}", "'num_key_value_heads':4", "has shape [8, 16], expected [16, 16]")]
    [InlineData("'num_key_value_heads':{KV}", "'num_key_value_heads':{KV},'head_dim':8", "has shape [16, 16], expected [32, 16]")]
    [InlineData("'num_key_value_heads':{KV}", "'num_key_value_heads':{KV},'head_dim':3", "3 rotary channels")]
    [InlineData("'num_hidden_layers':{L}", "'num_hidden_layers':3", "no tensor 'model.layers.2.self_attn.q_proj.weight'")]
    public void Resolve_ConfigurationThatDoesNotFit_SaysWhat(string text, string replacement, string expected)
    {
        using var folder = new TemporaryFolder();
        Llama.Config.ShouldContain(text);
        using var model = TinyCheckpoint.Create(Llama with { Config = Llama.Config.Replace(text, replacement) }, folder["model"]);
        Should.Throw<WiscaException>(() => ModelLayout.Resolve(model)).Message.ShouldContain(expected);
    }

    [Fact]
    public void Resolve_NamesOfAnotherFamilyOrOfTwoModels_SaysWhatItLookedFor()
    {
        using var folder = new TemporaryFolder();
        using var other = TinyCheckpoint.Create(Llama with { Stem = "transformer.h." }, folder["other"]);
        Should
            .Throw<WiscaException>(() => ModelLayout.Resolve(other))
            .Message.ShouldContain("no tensor 'model.layers.0.self_attn.q_proj.weight'");

        var tensors = new List<(string, int[], double[])> { ("layers.0.self_attn.q_proj.weight", [1, 1], [1]),
            ("model.layers.0.self_attn.q_proj.weight", [1, 1], [1]) };
        TinyCheckpoint.Write(folder["both"], Llama.ConfigJson(), Dtype.F32, tensors);
        using var both = Checkpoint.Open(folder["both"]);
        Should.Throw<WiscaException>(() => ModelLayout.Resolve(both)).Message.ShouldContain("more than one of");
    }

    [Fact]
    public void Resolve_MoreLayersThanTheConfigurationHas_AreLeftAsTheyAre()
    {
        using var folder = new TemporaryFolder();
        using var model = TinyCheckpoint.Create(Llama with { Layers = 3, Config = Llama.Config.Replace("{L}", "2") }, folder["model"]);
        var layout = ModelLayout.Resolve(model);
        layout.Layers.Length.ShouldBe(2);
        layout.Notes.ShouldHaveSingleItem().ShouldContain("beyond the 2");
        Rescaler.Rescale(model, folder["out"], new RescaleOptions()).Move!.Tensors.Keys.ShouldNotContain(name => name.Contains(".2."));
    }

    [Fact]
    public void Resolve_CodeOfItsOwn_IsNoted()
    {
        using var folder = new TemporaryFolder();
        using var model = TinyCheckpoint.Create(Llama with { Config = Llama.Config + ",'auto_map':{'AutoModel':'x'}" }, folder["model"]);
        ModelLayout.Resolve(model).Notes.ShouldHaveSingleItem().ShouldContain("auto_map");
    }

    [Theory]
    [InlineData("'no_rope_layers':[1]", "no_rope_layers is not a list of at least 2 entries")]
    [InlineData("'no_rope_layers':3", "no_rope_layers is not a list")]
    [InlineData("'no_rope_layers':[1,'x']", "no_rope_layers[1] is \"x\"")]
    [InlineData("'no_rope_layer_interval':0", "no_rope_layer_interval is 0")]
    public void Resolve_WrongListOfLayersWithoutRope_SaysWhat(string keys, string expected)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyCheckpoint.Create(Llama with { ModelType = "smollm3", Config = Llama.Config + "," + keys }, folder["model"]);
        Should.Throw<WiscaException>(() => ModelLayout.Resolve(model)).Message.ShouldContain(expected);
    }

    [Theory]
    [InlineData("'text_config':null", "config.json: no hidden_size")]
    [InlineData("'text_config':7", "text_config is 7")]
    [InlineData("'text_config':{'model_type':'vit'}", "a mistral3 model around text_config.model_type 'vit' is not known")]
    [InlineData("'text_config':{'model_type':'martian_text_model'}", "text_config.model_type 'martian_text_model' is not known")]
    [InlineData("'text_config':{'model_type':'gemma3n_text'}", "text_config.model_type 'gemma3n_text' has nothing that is moved")]
    [InlineData("'text_config':{'model_type':'ministral'}", "config.json text_config: no hidden_size")]
    [InlineData("'text_config':{'model_type':'mistral'}", "32 layers in a checkpoint of")]
    public void Resolve_MultimodalModelWithoutAKnownTextModel_SaysWhat(string config, string expected)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyCheckpoint.Create(TinyFamilies.ByName["mistral3"] with { Config = config }, folder["model"]);
        Should.Throw<WiscaException>(() => ModelLayout.Resolve(model)).Message.ShouldContain(expected);
    }

    [Fact]
    public void Resolve_WrapperAroundATableOfTheUsersOwn_TakesItsTextModel()
    {
        using var folder = new TemporaryFolder();
        var family = TinyFamilies.ByName["mistral3"];
        using var model = TinyCheckpoint.Create(family with { Config = family.Config.Replace("'mistral'", "'mine'") }, folder["model"]);
        var json = JsonNode.Parse(KnownArchitectures.ReadJson("mistral"))!;
        (json["name"], json["model_types"]) = ("mine", new JsonArray("mine"));
        var table = ArchitectureTable.Parse(Encoding.UTF8.GetBytes(json.ToJsonString()), "own.json");
        ModelLayout.Resolve(model, table).Heads.ShouldBe(family.Heads);
        Should.Throw<WiscaException>(() => ModelLayout.Resolve(model, KnownArchitectures.Find("mistral3")))
            .Message.ShouldBe("config.json: a mistral3 model around 'mine' is not known, only around mistral, ministral, ministral3");
    }

    [Theory]
    [InlineData("_orig_mod.", "torch.compile")]
    [InlineData("module.", "DataParallel")]
    [InlineData("module._orig_mod.", "torch.compile in DataParallel")]
    [InlineData("_forward_module._orig_mod.", "torch.compile in Lightning")]
    public void Resolve_NamesAsATrainingFrameworkLeavesThem_AreTakenAndNoted(string prefix, string by)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyCheckpoint.Create(Llama with { Stem = prefix + Llama.Stem }, folder["model"]);
        var layout = ModelLayout.Resolve(model);
        layout.Prefix.ShouldBe(prefix + "model.");
        layout.Notes.ShouldHaveSingleItem()
            .ShouldBe($"names begin with '{prefix}', as {by} writes them; transformers does not find such tensors");
        Rescaler.Rescale(model, folder["out"], new RescaleOptions()).Move!.Tensors.Count.ShouldBe(8);
    }

    [Theory]
    [InlineData("self_attn._extra_state:0")]
    [InlineData("self_attn.q_proj._extra_state:0")]
    [InlineData("self_attn.core_attention.mask:0,4")]
    public void Resolve_TensorWithoutElements_HarmsNothingAndGoesAlong(string tensor)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyCheckpoint.Create(Llama with { Others = [.. Llama.Others, tensor] }, folder["model"]);
        ModelLayout.Resolve(model).Layers.ShouldAllBe(layer => layer.Refusals.Count == 0);
        var options = new RescaleOptions { Balance = new BalanceOptions(Rounding: FactorRounding.PowerOfTwo) };
        Rescaler.Rescale(model, folder["out"], options).Move!.Groups.Count.ShouldBe(4);
        using var written = Checkpoint.Open(folder["out"]);
        written.Find($"model.layers.1.{tensor.Split(':')[0]}")!.Info.ElementCount.ShouldBe(0);
        Certifier.Compare(model, written).Equivalent.ShouldBeTrue();
        using var undone = Checkpoint.Open(folder["out"]);
        Undoer.Undo(undone, folder["back"]);
        File.ReadAllBytes(folder["back", Checkpoint.WeightsName]).ShouldBe(File.ReadAllBytes(folder["model", Checkpoint.WeightsName]));
    }

    [Theory]
    [InlineData("'kind':'b'", true)]
    [InlineData("'kind':'a'", false)]
    [InlineData("'kind':null", true)]
    [InlineData("'other':1", true)]
    public void Resolve_ConditionOnAValue_HoldsForThatValueOnly(string key, bool refused)
    {
        using var folder = new TemporaryFolder();
        using var model = TinyCheckpoint.Create(Llama with { Config = Llama.Config + "," + key }, folder["model"]);
        var json = JsonNode.Parse(KnownArchitectures.ReadJson("llama"))!;
        json["refuse"] = JsonNode.Parse(
            """[{ "transitions": ["vo"], "reason": "kind b", "when": { "key": "kind", "is": "b", "default": "b" } }]""");
        var table = ArchitectureTable.Parse(Encoding.UTF8.GetBytes(json.ToJsonString()), "own.json");
        ModelLayout.Resolve(model, table).Layers[0].Refusals.ContainsKey(TransitionKind.ValueOutput).ShouldBe(refused);
    }

    /// <summary>Models in which some layers have something else in attention's place.</summary>
    public static TheoryData<string> Hybrids =>
    [
        .. SavedModel.All.Where(model => TextModel.Find(model.Config, null).Table.WithoutAttention is not null).Select(model => model.Name),
    ];

    [Theory]
    [MemberData(nameof(Hybrids))]
    public void Resolve_HybridLayerWithAPartOfAttentionsProjections_NamesTheMissingOne(string name)
    {
        var model = SavedModel.All.Single(candidate => candidate.Name == name);
        var layout = ModelLayout.Resolve(model.Config, model.Tensors);
        var lacking = layout.Layers.Where(layer => layer.Refusals.ContainsValue("the layer has no attention")).ToList();
        var whole = layout.Layers.Except(lacking).ToList();
        (lacking.Count * whole.Count).ShouldBeGreaterThan(0);
        var (from, to) = (whole[0].Index, lacking[0].Index);
        foreach (string weight in ((string[])
            [
                whole[0].Query.Weight, whole[0].Key.Weight, whole[0].Value.Weight, whole[0].Output.Weight,
            ]).Distinct())
        {
            var moved = model.Tensors.Single(tensor => tensor.Name == weight) with { Name = weight.Replace($".{from}.", $".{to}.") };
            if (model.Tensors.Any(tensor => tensor.Name == moved.Name)) continue;
            string message = Should.Throw<WiscaException>(() => ModelLayout.Resolve(model.Config, [.. model.Tensors, moved])).Message;
            message.ShouldMatch($@"(the checkpoint has no tensor|tensor) '[^']*\.{to}\.[^']*'", $"{name}: {moved.Name}");
        }
    }

    [Fact]
    public void Resolve_FusedBlocksThatDoNotDivideTheHeads_SaysWhat()
    {
        using var folder = new TemporaryFolder();
        var codegen = TinyFamilies.ByName["codegen"] with { Heads = 6, KvHeads = 6, Hidden = 48, Fused = FusedKind.Concatenated };
        using var model = TinyCheckpoint.Create(codegen, folder["model"]);
        Should.Throw<WiscaException>(() => ModelLayout.Resolve(model)).Message.ShouldContain("do not divide into the 4 blocks");
    }

    [Fact]
    public void Resolve_BiasOfAnotherLengthOrType_SaysWhat()
    {
        using var folder = new TemporaryFolder();
        using var model = TinyCheckpoint.Create(Llama with { Others = ["self_attn.q_proj.bias:15"] }, folder["model"]);
        Should.Throw<WiscaException>(() => ModelLayout.Resolve(model)).Message.ShouldContain("q_proj.bias' has shape [15], expected [16]");
    }
}
