using System.Text.Json.Nodes;
using Wisca.Adapters;
using Wisca.Checkpoints;
using Wisca.Rescaling;
using Wisca.Tests;

namespace Wisca.Core.Tests.Adapters;

public sealed class MergerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("F32", "F32", false, false)]
    [InlineData("BF16", "F32", false, true)]
    [InlineData("F16", "BF16", true, false)]
    [InlineData("F64", "F16", true, true)]
    public void Merge_Weights_AreTheFloat64ProductRoundedOnce(string dtype, string adapterDtype, bool dora, bool rankStabilized)
    {
        var llama = new SmallLlama { Dtype = dtype, Shards = 3 };
        llama.Write(_folder["m"]);
        (SmallAdapter.Of(llama) with { Dtype = adapterDtype, Dora = dora, RankStabilized = rankStabilized }).Write(_folder["a"]);
        Merge("m", "a").Merged.ShouldBe(8);
        var merged = TestCheckpoint.Read(_folder["out"]);
        var expected = DenseModel.Merged(_folder["m"], _folder["a"], rankStabilized ? 6 / Math.Sqrt(3) : 2);
        foreach (var (name, tensor) in TestCheckpoint.Read(_folder["m"]))
        {
            if (!expected.TryGetValue(name, out double[][]? matrix))
            {
                merged[name].Bytes.ShouldBe(tensor.Bytes);
                continue;
            }

            // Sums in another order differ in float64's last bits, which decides a rounding to 16 bits hardly ever: one unit is allowed.
            double[] actual = ReferenceFloat.Values(dtype, merged[name].Bytes), wanted = [.. matrix.SelectMany(row => row)];
            double unit = Math.ScaleB(1, dtype switch { "F16" => -10, "BF16" => -7, "F32" => -23, _ => -49 });
            int exact = 0;
            for (int i = 0; i < actual.Length; i++)
            {
                actual[i]
                    .ShouldBe(wanted[i], Math.Max(unit * Math.Abs(wanted[i]) * 0.501, 1e-16) + (dtype == "F16" ? Math.ScaleB(1, -25) : 0));
                if (dtype != "F64" && ReferenceFloat.Encode(dtype, wanted[i]) == ReferenceFloat.Encode(dtype, actual[i])) exact++;
            }

            if (dtype != "F64") exact.ShouldBeGreaterThan(actual.Length * 99 / 100);
        }
    }

    [Theory]
    [InlineData(16, 24)]
    [InlineData(16, 16)]
    public void Merge_Conv1D_AddsTheTransposedProduct(int inputs, int outputs)
    {
        var random = new Random(3);
        double[] values = [.. Enumerable.Range(0, inputs * outputs).Select(_ => random.NextDouble() - 0.5)];
        TestCheckpoint.Write(
            _folder["m"],
            """{"model_type": "gpt2"}""",
            [new TestTensor("h.0.mlp.c_fc.weight", "F64", [inputs, outputs], ReferenceFloat.Bytes("F64", values))]);
        var adapter = new SmallAdapter
        {
            Modules = [("transformer.h.0.mlp.c_fc", outputs, inputs)],
            Dora = true,
            Edit = json => json["fan_in_fan_out"] = true,
        };
        adapter.Write(_folder["a"]);
        Merge("m", "a");

        // The oracle knows one name for module and tensor.
        var plain = new SmallAdapter { Modules = [("h.0.mlp.c_fc", outputs, inputs)], Dora = true };
        plain.Write(_folder["b"]);
        double[][] expected = DenseModel.Merged(_folder["m"], _folder["b"], 2, transposed: true)["h.0.mlp.c_fc.weight"];
        DenseModel
            .Difference(expected, DenseModel.Matrix(TestCheckpoint.Read(_folder["out"])["h.0.mlp.c_fc.weight"]))
            .ShouldBeLessThan(1e-14);
    }

    // What the router is called in the base, which is the older generation's name, and in the adapter.
    [Theory]
    [InlineData("block_sparse_moe.gate", "mlp.gate", "gate.weight")]
    [InlineData("block_sparse_moe.gate", "mlp.gate", "mlp.gate.weight")]
    [InlineData("block_sparse_moe.gate", "mlp.router", "router.weight")]
    [InlineData("feed_forward.router", "mlp.router", "router.weight")]
    [InlineData("mlp.gate", "mlp.gate", "gate.weight")]
    public void Merge_RouterOfAnotherGeneration_IsFound(string stored, string adapted, string target)
    {
        WriteRouter(stored);
        string layer = "model.layers.0.";
        var adapter = new SmallAdapter
        {
            Modules = [(layer + adapted, 4, 16)],
            Edit = json =>
            {
                json["target_modules"] = new JsonArray("q_proj");
                json["target_parameters"] = new JsonArray(target);
            },
        };
        adapter.Write(_folder["a"]);
        Merge("m", "a");
        (adapter with { Modules = [(layer + stored, 4, 16)] }).Write(_folder["b"]);
        double[][] expected = DenseModel.Merged(_folder["m"], _folder["b"], 2)[$"{layer}{stored}.weight"];
        DenseModel.Difference(expected, DenseModel.Matrix(TestCheckpoint.Read(_folder["out"])[$"{layer}{stored}.weight"]))
            .ShouldBeLessThan(1e-14);
    }

    [Fact]
    public void Merge_RouterThatIsStoredWholeOrMissing_IsReplacedOrNamed()
    {
        WriteRouter("block_sparse_moe.gate");
        double[] values = [.. Enumerable.Range(0, 64).Select(i => i / 64.0)];
        var saved = new TestTensor("base_model.model.model.layers.0.mlp.gate.weight", "F64", [4, 16], ReferenceFloat.Bytes("F64", values));
        var adapter = new SmallAdapter
        {
            Modules = [],
            Saved = [saved],
            Edit = json =>
            {
                json["target_modules"] = new JsonArray("q_proj");
                json["modules_to_save"] = new JsonArray("gate");
            },
        };
        adapter.Write(_folder["a"]);
        Merge("m", "a");
        TestCheckpoint.Read(_folder["out"])["model.layers.0.block_sparse_moe.gate.weight"].Bytes.ShouldBe(saved.Bytes);
        (adapter with
        {
            Modules = [("model.layers.0.mlp.other", 4, 16)],
            Saved = [],
            Edit = json =>
            {
                json["target_modules"] = new JsonArray("q_proj");
                json["target_parameters"] = new JsonArray("other.weight");
            },
        }).Write(_folder["b"]);
        Should.Throw<WiscaException>(() => Merge("m", "b", "none"))
            .Message.ShouldContain("'model.layers.0.mlp.other' has factors of 1 parameter, of which target_parameters finds 0 in the base");
    }

    private void WriteRouter(string name)
    {
        var random = new Random(4);
        double[] values = [.. Enumerable.Range(0, 64).Select(_ => random.NextDouble() - 0.5)];
        TestCheckpoint.Write(
            _folder["m"],
            """{"model_type": "mixtral", "num_hidden_layers": 1}""",
            [new TestTensor($"model.layers.0.{name}.weight", "F64", [4, 16], ReferenceFloat.Bytes("F64", values))]);
    }

    [Fact]
    public void Merge_SavedTensor_ReplacesTheBase()
    {
        var llama = new SmallLlama { Dtype = "BF16" };
        llama.Write(_folder["m"]);
        double[] gain = [.. Enumerable.Range(0, 16).Select(index => 1 + (index * 0.001))];
        (
            SmallAdapter.Of(llama) with
            {
                Saved = [new TestTensor("base_model.model.model.norm.weight", "F32", [16], ReferenceFloat.Bytes("F32", gain))],
            }
        ).Write(_folder["a"]);
        Merge("m", "a").Replaced.ShouldBe(1);
        TestCheckpoint
            .Read(_folder["out"])["model.norm.weight"]
            .Bytes.ShouldBe(ReferenceFloat.Bytes("BF16", gain.Select(value => (double)(float)value)));
    }

    /// <summary>What PEFT's own model computes for an embedding and the output projection that is tied to it.</summary>
    [Theory]
    [InlineData("embed", false, false, true, false)]
    [InlineData("embed", true, false, true, true)]
    [InlineData("embed", true, true, true, false)]
    [InlineData("head", false, false, true, false)]
    [InlineData("head", true, false, false, true)]
    [InlineData("same", true, false, true, false)]
    [InlineData("both", true, false, true, true)]
    [InlineData("unchanged", true, false, false, false)]
    public void Merge_TiedMatricesStoredWhole_AreTiedOrNot(string stored, bool trained, bool ensured, bool embeddingChanges, bool unties)
    {
        var llama = new SmallLlama { Shards = stored == "both" ? 2 : 1 };
        const string before = "\"vocab_size\"";
        TestCheckpoint.Write(
            _folder["m"], llama.Config.Replace(before, "\"tie_word_embeddings\": true, " + before, StringComparison.Ordinal),
            [.. llama.Tensors().Chunk((llama.Tensors().Count / llama.Shards) + 1)]);
        byte[] old = TestCheckpoint.Read(_folder["m"])["model.embed_tokens.weight"].Bytes,
            first = ReferenceFloat.Bytes("F32", Enumerable.Range(0, 11 * 16).Select(index => (double)index)),
            second = ReferenceFloat.Bytes("F32", Enumerable.Range(0, 11 * 16).Select(index => -(double)index));
        var saved = new List<TestTensor>();
        if (stored is "embed" or "same" or "both") Add("model.embed_tokens", first);
        if (stored is "head" or "same") Add("lm_head", first);
        if (stored == "both") Add("lm_head", second);
        if (stored == "unchanged")
        {
            Add("model.embed_tokens", old);
            Add("lm_head", old);
        }

        (SmallAdapter.Of(llama) with
        {
            Saved = saved,
            Edit = json =>
            {
                json["ensure_weight_tying"] = ensured;
                if (trained)
                    json["modules_to_save"] = new JsonArray(
                        [.. saved.Select(tensor => (JsonNode?)tensor.Name.Split('.')[^2])]);
            },
        }).Write(_folder["a"]);
        Merge("m", "a");
        var merged = TestCheckpoint.Read(_folder["out"]);
        merged["model.embed_tokens.weight"].Bytes.ShouldBe(embeddingChanges ? first : old);
        merged.ContainsKey("lm_head.weight").ShouldBe(unties);
        if (unties) merged["lm_head.weight"].Bytes.ShouldBe(stored switch { "both" => second, "head" => first, _ => old });
        using var checkpoint = Checkpoint.Open(_folder["out"]);
        checkpoint.Config.FindBool("tie_word_embeddings").ShouldBe(!unties);

        void Add(string module, byte[] bytes) =>
            saved.Add(new TestTensor($"base_model.model.{module}.weight", "F32", [11, 16], bytes));
    }

    /// <summary>A text model within another: both places of its configuration that may tie the matrices say that they are two.</summary>
    [Theory]
    [InlineData("text_config")]
    [InlineData("llm_config")]
    public void Merge_TiedHeadOfAnInnerTextModel_IsUntiedInItsSection(string section)
    {
        var llama = new SmallLlama();
        var inner = JsonNode.Parse(llama.Config)!.AsObject();
        inner["tie_word_embeddings"] = true;
        var config = new JsonObject { ["model_type"] = "llava", [section] = inner, ["vision_config"] = new JsonObject { ["depth"] = 2 } };
        TestCheckpoint.Write(
            _folder["m"], config.ToJsonString(),
            [.. llama.Tensors().Select(tensor => tensor with { Name = "language_model." + tensor.Name })]);
        byte[] head = ReferenceFloat.Bytes("F32", Enumerable.Range(0, 11 * 16).Select(index => (double)index));
        var adapter = SmallAdapter.Of(llama);
        (adapter with
        {
            Modules = [.. adapter.Modules.Select(module => module with { Name = "language_model." + module.Name })],
            Saved = [new TestTensor("base_model.model.language_model.lm_head.weight", "F32", [11, 16], head)],
            Edit = json => json["modules_to_save"] = new JsonArray("lm_head"),
        }).Write(_folder["a"]);
        Merge("m", "a");
        TestCheckpoint.Read(_folder["out"])["language_model.lm_head.weight"].Bytes.ShouldBe(head);
        using var merged = Checkpoint.Open(_folder["out"]);
        merged.Config.FindBool("tie_word_embeddings").ShouldBe(false);
        merged.Config.FindBool(section + ".tie_word_embeddings").ShouldBe(false);
        merged.Config.Find("vision_config")!.Value.GetRawText().ShouldNotContain("tie_word_embeddings");
    }

    [Theory]
    [InlineData("", "LlamaForCausalLM")]
    [InlineData("model.decoder.", "WhisperForConditionalGeneration")]
    public void Merge_TiedMatrixWithoutPlaceForAnother_IsRefused(string root, string architecture)
    {
        var llama = new SmallLlama();
        TestCheckpoint.Write(
            _folder["m"], llama.Config.Replace("LlamaForCausalLM", architecture, StringComparison.Ordinal),
            [.. llama.Tensors().Select(tensor => tensor with { Name = root + tensor.Name["model.".Length..] })]);
        (SmallAdapter.Of(llama) with { Modules = [("lm_head", 11, llama.Hidden)] }).Write(_folder["a"]);
        Should.Throw<WiscaException>(() => Merge("m", "a")).Message
            .ShouldContain($"the base ties lm_head to '{root}embed_tokens.weight'");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Merge_HeadOfAClassifier_MakesAModelOfItsKind(int shards)
    {
        var llama = new SmallLlama { Shards = shards };
        llama.Write(_folder["m"]);
        byte[] score = ReferenceFloat.Bytes("F32", Enumerable.Range(0, 3 * 16).Select(index => index / 7.0));
        var adapter = SmallAdapter.Of(llama) with
        {
            Saved = [new TestTensor("base_model.model.score.weight", "F32", [3, 16], score)],
            Edit = json =>
            {
                json["task_type"] = "SEQ_CLS";
                json["modules_to_save"] = new JsonArray("classifier", "score");
            },
        };
        adapter.Write(_folder["a"]);
        Merge("m", "a").Replaced.ShouldBe(1);
        TestCheckpoint.Read(_folder["out"])["score.weight"].Bytes.ShouldBe(score);
        using (var checkpoint = Checkpoint.Open(_folder["out"]))
        {
            checkpoint.Config.Find("architectures")!.Value[0].GetString().ShouldBe("LlamaForSequenceClassification");
            checkpoint.Config.Find("id2label")!.Value.EnumerateObject().Count().ShouldBe(3);
        }

        (adapter with
        {
            Edit = json =>
            {
                adapter.Edit(json);
                json["task_type"] = "CAUSAL_LM";
            },
        }).Write(_folder["b"]);
        Should.Throw<WiscaException>(() => Merge("m", "b", "out2")).Message.ShouldContain("the base has no score.weight");
    }

    [Fact]
    public void Merge_FactorsOfAResidualBase_AreRefused()
    {
        var llama = new SmallLlama();
        llama.Write(_folder["m"]);
        (SmallAdapter.Of(llama) with { Edit = json => json["init_lora_weights"] = "pissa" }).Write(_folder["a"]);
        Should.Throw<WiscaException>(() => Merge("m", "a")).Message.ShouldContain("init_lora_weights is \"pissa\"");
        Directory.Exists(_folder["out"]).ShouldBeFalse();
    }

    [Fact]
    public void Merge_TooLargeForTheType_IsRefused()
    {
        var llama = new SmallLlama { Dtype = "F16" };
        llama.Write(_folder["m"]);
        (SmallAdapter.Of(llama) with { DeviationOfB = 1e6 }).Write(_folder["a"]);
        Should.Throw<WiscaException>(() => Merge("m", "a")).Message.ShouldContain("which F16 does not");
        Directory.Exists(_folder["out"]).ShouldBeFalse();
    }

    [Fact]
    public void Merge_IntoARescaledBase_UndoGivesTheMergedModelInTheOriginalGauge()
    {
        var llama = new SmallLlama();
        llama.Write(_folder["m"]);
        SmallAdapter.Of(llama).Write(_folder["a"]);
        using (var checkpoint = Checkpoint.Open(_folder["m"]))
        using (var adapter = Adapter.Open(_folder["a"]))
        {
            AdapterRescaler.Rescale(
                adapter.Bind(checkpoint), _folder["m2"], _folder["a2"],
                new RescaleOptions { Balance = new(Rounding: Wisca.Transitions.FactorRounding.PowerOfTwo) });
        }

        Merge("m2", "a2", "merged");
        using (var merged = Checkpoint.Open(_folder["merged"])) Undoer.Undo(merged, _folder["back"]);
        Merge("m", "a", "plain");
        var expected = TestCheckpoint.Read(_folder["plain"]);
        TestCheckpoint.Read(_folder["back"]).ShouldAllBe(tensor => tensor.Value.Bytes.SequenceEqual(expected[tensor.Key].Bytes));
    }

    private MergeResult Merge(string model, string adapterName, string output = "out")
    {
        using var checkpoint = Checkpoint.Open(_folder[model]);
        using var adapter = Adapter.Open(_folder[adapterName]);
        return Merger.Merge(adapter.Bind(checkpoint), _folder[output], threads: 2);
    }
}
