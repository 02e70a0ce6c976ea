using Wisca.Architectures;
using Wisca.Checkpoints;
using Wisca.Core.Tests.Architectures;
using Wisca.Rescaling;
using Wisca.Rotations;
using Wisca.Safetensors;
using Wisca.Tests;

namespace Wisca.Core.Tests.Rotations;

/// <summary>
/// Rotating on disk. The judge of the function is a small forward pass of the test's own, in float64, of llama's and GPT-2's residual
/// blocks without attention between positions: one token sees itself alone, so that attention is W_o of its own value.
/// </summary>
public sealed class RotatorTests : IDisposable
{
    private static readonly string[] LayerNorms =
    [
        "bloom", "falcon", "gpt2", "gpt_bigcode", "gpt_neo", "gptj", "codegen", "gpt_neox", "cohere", "cohere2", "mpt", "nemotron", "opt",
        "persimmon", "phi", "phimoe", "starcoder2", "stablelm", "olmo", "jais2", "bart", "blenderbot-small", "mvp", "plbart", "trocr",
        "mbart", "bigbird_pegasus", "blenderbot", "whisper", "biogpt", "bert-generation", "cohere2_moe", "dbrx", "gpt_neox_japanese",
        "openai-gpt", "cohere_compass_text",
    ];

    // Their output projection is the embedding, and stands behind a weight, an activation and a norm.
    private static readonly string[] BehindAnActivation =
    [
        "bert", "big_bird", "camembert", "data2vec-text", "ernie", "megatron-bert", "roberta", "roberta-prelayernorm", "xlm-roberta",
        "xlm-roberta-xl", "modernbert-decoder",
    ];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(BasisSource.Random, null, GainPolicy.Follow)]
    [InlineData(BasisSource.Random, null, GainPolicy.Fold)]
    [InlineData(BasisSource.Weights, null, GainPolicy.Follow)]
    [InlineData(BasisSource.Hadamard, null, GainPolicy.Follow)]
    [InlineData(null, BasisSource.Random, GainPolicy.Follow)]
    [InlineData(BasisSource.Random, BasisSource.Weights, GainPolicy.Follow)]
    [InlineData(null, BasisSource.Balanced, GainPolicy.Follow)]
    [InlineData(BasisSource.Random, BasisSource.Balanced, GainPolicy.Follow)]
    public void Rotate_Llama_KeepsTheFunctionAndUndoGivesItBack(BasisSource? stream, BasisSource? heads, GainPolicy gains)
    {
        using var model = Write(new StreamModel(tied: false, layerNorm: false));
        Rotate(model, "rotated", new RotateOptions { Stream = stream, Heads = heads, Gains = gains, Seed = 3 });
        using var rotated = Checkpoint.Open(_folder["rotated"]);
        double[][] expected = StreamModel.Logits(model), actual = StreamModel.Logits(rotated);
        Difference(expected, actual).ShouldBeLessThan(1e-12);
        Values(rotated, "model.layers.0.self_attn.v_proj.weight").ShouldNotBe(Values(model, "model.layers.0.self_attn.v_proj.weight"));
        if (stream is not null && gains == GainPolicy.Fold) Values(rotated, "model.norm.weight").ShouldAllBe(gain => gain == 1);

        var undone = Undoer.Undo(rotated, _folder["undone"]);
        undone.Moves.ShouldBe(1);
        using var back = Checkpoint.Open(_folder["undone"]);
        foreach (var tensor in model.Tensors)
        {
            double[] original = Values(model, tensor.Info.Name), restored = Values(back, tensor.Info.Name);
            for (int i = 0; i < original.Length; i++) restored[i].ShouldBe(original[i], 1e-12, tensor.Info.Name);
        }

        // Gains are kept whole, so that they come back to the bit.
        Values(back, "model.norm.weight").ShouldBe(Values(model, "model.norm.weight"));
        Directory.GetFiles(_folder["undone"], "wisca-rotation-*").ShouldBeEmpty();
    }

    [Fact]
    public void Rotate_LayerNormModel_KeepsTheVectorOfOnesAndTheFunction()
    {
        using var model = Write(new StreamModel(tied: false, layerNorm: true));
        Rotate(model, "rotated", new RotateOptions { Stream = BasisSource.Random, Heads = BasisSource.Random });
        using var rotated = Checkpoint.Open(_folder["rotated"]);
        Difference(StreamModel.Logits(model), StreamModel.Logits(rotated)).ShouldBeLessThan(1e-12);
        Values(rotated, "gpt_neox.layers.0.input_layernorm.bias").ShouldNotBe(Values(model, "gpt_neox.layers.0.input_layernorm.bias"));
        Undoer.Undo(rotated, _folder["undone"]);
        using var back = Checkpoint.Open(_folder["undone"]);
        Difference(StreamModel.Logits(model), StreamModel.Logits(back)).ShouldBeLessThan(1e-12);
        Values(back, "gpt_neox.layers.0.input_layernorm.bias").ShouldBe(Values(model, "gpt_neox.layers.0.input_layernorm.bias"));
    }

    [Fact]
    public void Rotate_BalancedHeads_MakesBothSidesEqualAndSmallest()
    {
        using var model = Write(new StreamModel(tied: false, layerNorm: false));
        var result = Rotate(model, "balanced", new RotateOptions { Stream = null, Heads = BasisSource.Balanced });
        using var balanced = Checkpoint.Open(_folder["balanced"]);
        var (before, after) = result.Imbalance.ShouldNotBeNull();
        before.ShouldBeGreaterThan(0.1);
        after.ShouldBeLessThan(1e-12);

        // V V^T of each kv head is O^T O of the query heads that share it.
        foreach (var (first, second) in Sides(balanced))
        {
            first.Zip(second, (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(1e-12 * first.Max());
        }

        foreach (var ((v, o), (wasV, wasO)) in Sides(balanced).Zip(Sides(model)))
            (Trace(v) + Trace(o)).ShouldBeLessThan(Trace(wasV) + Trace(wasO));
        Should.Throw<WiscaException>(() => Rotate(model, "again", new RotateOptions { Stream = BasisSource.Balanced }))
            .Message.ShouldContain("the residual stream has no balanced basis");
        Directory.Exists(_folder["again"]).ShouldBeFalse();

        // What is balanced stays where it is.
        Rotate(balanced, "twice", new RotateOptions { Stream = null, Heads = BasisSource.Balanced })
            .Imbalance!.Value.Before.ShouldBeLessThan(1e-12);
        using var twice = Checkpoint.Open(_folder["twice"]);
        const string tensor = "model.layers.1.self_attn.o_proj.weight";
        Values(twice, tensor).Zip(Values(balanced, tensor), (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(1e-12);

        static double Trace(double[] gram) => Enumerable.Range(0, 4).Sum(i => gram[i * 5]);

        static IEnumerable<(double[] V, double[] O)> Sides(Checkpoint model)
        {
            const int d = 4, hidden = 16, sharing = 2;
            for (int layer = 0; layer < 2; layer++)
            {
                double[] v = Values(model, $"model.layers.{layer}.self_attn.v_proj.weight"),
                    o = Values(model, $"model.layers.{layer}.self_attn.o_proj.weight");
                for (int head = 0; head < 2; head++)
                {
                    double[] first = new double[d * d], second = new double[d * d];
                    for (int i = 0; i < d * d; i++)
                    {
                        for (int k = 0; k < hidden; k++)
                        {
                            first[i] += v[(((head * d) + (i / d)) * hidden) + k] * v[(((head * d) + (i % d)) * hidden) + k];
                            for (int query = head * sharing; query < (head + 1) * sharing; query++)
                                second[i] += o[(k * hidden) + (query * d) + (i / d)] * o[(k * hidden) + (query * d) + (i % d)];
                        }
                    }

                    yield return (first, second);
                }
            }
        }
    }

    [Fact]
    public void Rotate_BalancedQueriesAndKeys_KeepsTheirProducts()
    {
        // OPT has positions that are learned: queries and keys meet without RoPE, with biases.
        const int hidden = 12, heads = 3, d = 4;
        var random = new Random(8);
        var tensors = new List<(string, int[], double[])>();
        foreach (string name in (string[])["q_proj", "k_proj", "v_proj", "out_proj"])
        {
            tensors.Add(($"model.decoder.layers.0.self_attn.{name}.weight", [hidden, hidden], Draw(hidden * hidden)));
            tensors.Add(($"model.decoder.layers.0.self_attn.{name}.bias", [hidden], Draw(hidden)));
        }

        TinyCheckpoint.Write(
            _folder["opt"],
            $$"""{"model_type":"opt","num_hidden_layers":1,"hidden_size":{{hidden}},"num_attention_heads":{{heads}},"ffn_dim":8}""",
            Dtype.F64, tensors);
        using var model = Checkpoint.Open(_folder["opt"]);
        var result = Rotate(model, "balanced", new RotateOptions { Stream = null, Heads = BasisSource.Balanced });
        result.Spaces.Count(space => space.Kind == RotationKind.QueryKey).ShouldBe(heads);
        using var balanced = Checkpoint.Open(_folder["balanced"]);
        double[] expected = Products(model), actual = Products(balanced);
        expected.Zip(actual, (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(1e-13);
        const string bias = "model.decoder.layers.0.self_attn.q_proj.bias";
        Values(balanced, bias).ShouldNotBe(Values(model, bias));
        Wisca.Certificates.Certifier.Compare(model, balanced).Equivalent.ShouldBeTrue();
        Undoer.Undo(balanced, _folder["undone"]);
        using var back = Checkpoint.Open(_folder["undone"]);
        foreach (var tensor in model.Tensors)
            Values(back, tensor.Info.Name).Zip(Values(model, tensor.Info.Name), (a, b) => Math.Abs(a - b)).Max().ShouldBeLessThan(1e-12);

        double[] Draw(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextDouble() - 0.5)];

        // (W_q x + b_q) . (W_k y + b_k) for every head and every pair of unit vectors and zero.
        static double[] Products(Checkpoint model)
        {
            double[][] q = Side(model, "q_proj"), k = Side(model, "k_proj");
            return
            [
                .. from head in Enumerable.Range(0, heads)
                from x in q
                from y in k
                select Enumerable.Range(head * d, d).Sum(channel => x[channel] * y[channel]),
            ];
        }

        static double[][] Side(Checkpoint model, string name)
        {
            double[] weight = Values(model, $"model.decoder.layers.0.self_attn.{name}.weight"),
                bias = Values(model, $"model.decoder.layers.0.self_attn.{name}.bias");
            return
            [
                bias,
                .. Enumerable.Range(0, hidden)
                    .Select(input => bias.Select((value, row) => value + weight[(row * hidden) + input]).ToArray()),
            ];
        }
    }

    [Fact]
    public void Rotate_TiedModel_NeedsAUniformFinalGain()
    {
        using var uneven = Write(new StreamModel(tied: true, layerNorm: false), "uneven");
        var refused = Should.Throw<WiscaException>(() => Rotate(uneven, "out", new RotateOptions()));
        refused.Message.ShouldContain("model.norm.weight");
        refused.Message.ShouldContain("tied");
        Directory.Exists(_folder["out"]).ShouldBeFalse();

        using var even = Write(new StreamModel(tied: true, layerNorm: false, uniformGain: true), "even");
        Rotate(even, "rotated", new RotateOptions { Stream = BasisSource.Random });
        using var rotated = Checkpoint.Open(_folder["rotated"]);
        Difference(StreamModel.Logits(even), StreamModel.Logits(rotated)).ShouldBeLessThan(1e-12);
    }

    [Fact]
    public void RotateThenRescaleThenRotate_OneLedger_IsUndoneInOrder()
    {
        using var model = Write(new StreamModel(tied: false, layerNorm: false));
        Rotate(model, "a", new RotateOptions { Stream = BasisSource.Random, Heads = BasisSource.Random, Seed = 1 });
        using var first = Checkpoint.Open(_folder["a"]);
        Rescaler.Rescale(
            first, _folder["b"],
            new RescaleOptions { QueryKey = null, ValueOutput = Wisca.Transitions.Granularity.Channel });
        using var second = Checkpoint.Open(_folder["b"]);
        Rotate(second, "c", new RotateOptions { Stream = BasisSource.Weights, Heads = BasisSource.Random, Seed = 2 });
        using var third = Checkpoint.Open(_folder["c"]);
        Difference(StreamModel.Logits(model), StreamModel.Logits(third)).ShouldBeLessThan(1e-11);
        Undoer.Undo(third, _folder["undone"]).Moves.ShouldBe(3);
        using var back = Checkpoint.Open(_folder["undone"]);
        foreach (var tensor in model.Tensors)
        {
            double[] original = Values(model, tensor.Info.Name), restored = Values(back, tensor.Info.Name);
            for (int i = 0; i < original.Length; i++) restored[i].ShouldBe(original[i], 1e-11, tensor.Info.Name);
        }
    }

    [Fact]
    public void Undo_GainTrainedSince_KeepsTheFunctionThatWasTrained()
    {
        using var model = Write(new StreamModel(tied: false, layerNorm: false));
        Rotate(model, "rotated", new RotateOptions { Stream = BasisSource.Random });
        using (var rotated = Checkpoint.Open(_folder["rotated"]))
        {
            var tensors = rotated.Tensors.Select(tensor =>
                {
                    double[] values = Values(rotated, tensor.Info.Name);
                    if (tensor.Info.Name == "model.layers.0.input_layernorm.weight") values[2] *= 1.25;
                    return (tensor.Info.Name, tensor.Info.Shape.Select(size => (int)size).ToArray(), values);
                }).ToList();
            TinyCheckpoint.Write(_folder["trained"], File.ReadAllText(Path.Combine(_folder["rotated"], "config.json")), Dtype.F64, tensors);
            File.Copy(Path.Combine(_folder["rotated"], Ledger.FileName), Path.Combine(_folder["trained"], Ledger.FileName));
            foreach (string file in Directory.GetFiles(_folder["rotated"], "wisca-rotation-*"))
                File.Copy(file, Path.Combine(_folder["trained"], Path.GetFileName(file)));
        }

        using var trained = Checkpoint.Open(_folder["trained"]);
        Undoer.Undo(trained, _folder["undone"]).TrainedTensors.ShouldBe(["model.layers.0.input_layernorm.weight"]);
        using var back = Checkpoint.Open(_folder["undone"]);
        Difference(StreamModel.Logits(trained), StreamModel.Logits(back)).ShouldBeLessThan(1e-12);
        Difference(StreamModel.Logits(model), StreamModel.Logits(back)).ShouldBeGreaterThan(1e-4);
    }

    [Theory]
    [InlineData("model.layers.0.mlp.gate_proj.weight")]
    [InlineData("model.layers.1.mlp.up_proj.weight")]
    [InlineData("model.layers.0.mlp.down_proj.weight")]
    [InlineData("model.embed_tokens.weight")]
    [InlineData("lm_head.weight")]
    public void Rotate_ATensorForgotten_ChangesTheFunction(string forgotten)
    {
        using var model = Write(new StreamModel(tied: false, layerNorm: false));
        Rotate(model, "rotated", new RotateOptions { Stream = BasisSource.Random });
        using var rotated = Checkpoint.Open(_folder["rotated"]);
        var tensors = rotated.Tensors.Select(tensor => (
            tensor.Info.Name, tensor.Info.Shape.Select(size => (int)size).ToArray(),
            Values(tensor.Info.Name == forgotten ? model : rotated, tensor.Info.Name))).ToList();
        TinyCheckpoint.Write(_folder["wrong"], File.ReadAllText(Path.Combine(_folder["rotated"], "config.json")), Dtype.F64, tensors);
        using var wrong = Checkpoint.Open(_folder["wrong"]);
        Difference(StreamModel.Logits(model), StreamModel.Logits(wrong)).ShouldBeGreaterThan(1e-3);
    }

    [Theory]
    [InlineData(Dtype.F32, 1e-6)]
    [InlineData(Dtype.BF16, 0.1)]
    [InlineData(Dtype.F16, 0.01)]
    public void Rotate_NarrowTypes_AreRoundedOnce(Dtype dtype, double tolerance)
    {
        using var model = Write(new StreamModel(tied: false, layerNorm: false), dtype: dtype);
        Rotate(model, "rotated", new RotateOptions { Stream = BasisSource.Random });
        using var rotated = Checkpoint.Open(_folder["rotated"]);
        double[][] expected = StreamModel.Logits(model);
        Difference(expected, StreamModel.Logits(rotated)).ShouldBeLessThan(tolerance * expected.SelectMany(row => row).Max(Math.Abs));
    }

    [Theory]
    [MemberData(nameof(SavedModel.Names), MemberType = typeof(SavedModel))]
    public void Plan_ModelOfTransformers_RotatesTheStreamOrSaysWhyNot(string name)
    {
        var (_, config, tensors) = SavedModel.All.Single(model => model.Name == name);
        var plan = RotationPlan.Create(ModelLayout.Resolve(config, tensors));
        string type = config.ModelType;
        bool tied = ModelLayout.Resolve(config, tensors).Map.IsTied;
        bool refused = type == "bloom" && config.FindBool("apply_residual_connection_post_layernorm") == true
            || type == "opt" && config.FindBool("do_layer_norm_before") == false
            || type == "trocr" && config.FindBool("use_learned_position_embeddings") == false
            || type is "xglm" or "marian" or "pegasus" or "electra" or "rembert" or "roc_bert" or "doge" or "ctrl" or "xlm"
                or "roformer" or "hy_v4" or "axk2" or "phi4_multimodal" or "git"
            || type.StartsWith("musicgen", StringComparison.Ordinal)
            || tied && BehindAnActivation.Contains(type);
        if (refused) plan.Refusals.ShouldContain(refusal => refusal.Kind == RotationKind.Stream);
        else
        {
            var stream = plan.Spaces.Single(space => space.Kind == RotationKind.Stream);
            stream.Size.ShouldBe(32);
            stream.Slices.ShouldContain(slice => slice.Role == SliceRole.Embedding);
            stream.KeepsOnes.ShouldBe(LayerNorms.Contains(type) && !(type == "cohere2_moe" && config.Find("rms_norm_eps") is not null));

            // Norms behind the branches of two layers or in the stream, behind the embeddings, and the last where the head is tied.
            int behind = type switch
            {
                "gemma2" or "gemma3_text" or "glm4" or "olmo2" or "olmo3" or "flex_olmo" or "exaone4" or "afmoe" or "beam" or "kolibri1"
                    or "openai-gpt" => 4,
                "hyperclovax" => config.FindBool("use_post_norm") == true ? 4 : 0,
                "lfm3" => config.FindBool("use_sandwich_norm") == true ? 6 : 0,
                "bloom" or "mbart" or "axk1" => 1,
                "bart" or "blenderbot-small" or "mvp" or "plbart" or "trocr" => 7,
                "bert-generation" => 5,
                "minimax" => 6,
                "olmo_hybrid" => 2,
                _ => 0,
            };
            // Of these no norm of the last kind is stored.
            bool readsTheStream = type is "bart" or "blenderbot-small" or "mvp" or "plbart" or "trocr" or "bert-generation" or "openai-gpt";
            stream.Gains.Count(gain => gain.MustBeUniform).ShouldBe(behind + (tied && !readsTheStream ? 1 : 0));
        }
    }

    [Fact]
    public void Plan_TensorThatTheTableDoesNotKnow_RefusesTheStreamAlone()
    {
        var model = SavedModel.All.First(model => model.Config.ModelType == "llama");
        var plan = RotationPlan.Create(
            ModelLayout.Resolve(model.Config, [.. model.Tensors, new TensorInfo("model.reader.weight", Dtype.F32, [3, 32], 0, 0)]));
        plan.Refusals.Single(refusal => refusal.Kind == RotationKind.Stream).Reason.ShouldContain("model.reader.weight");
        plan.Spaces.ShouldContain(space => space.Kind == RotationKind.ValueOutput);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void RotatedModel_WhoseMatricesAreGone_IsRefusedBeforeAnythingIsWritten(bool undo)
    {
        using var model = Write(new StreamModel(tied: false, layerNorm: false));
        Rotate(model, "rotated", new RotateOptions { Stream = BasisSource.Random });
        File.Delete(Path.Combine(_folder["rotated"], "wisca-rotation-0.safetensors"));
        using var rotated = Checkpoint.Open(_folder["rotated"]);
        var refused = Should.Throw<WiscaException>(() =>
        {
            if (undo) Undoer.Undo(rotated, _folder["out"]);
            else Rescaler.Rescale(rotated, _folder["out"], new RescaleOptions());
        });
        refused.Message.ShouldContain("wisca-rotation-0.safetensors does not exist");
        refused.Hint.ShouldNotBeNull().ShouldContain("without wisca.json");
        Directory.Exists(_folder["out"]).ShouldBeFalse();
    }

    [Fact]
    public void RotatedModel_APipeInThePlaceOfItsMatrices_IsNotWaitedFor()
    {
        if (OperatingSystem.IsWindows()) return;
        using var model = Write(new StreamModel(tied: false, layerNorm: false));
        Rotate(model, "rotated", new RotateOptions { Stream = BasisSource.Random });
        string file = Path.Combine(_folder["rotated"], "wisca-rotation-0.safetensors");
        File.Delete(file);
        using (var made = System.Diagnostics.Process.Start("mkfifo", [file])) made.WaitForExit();
        using var rotated = Checkpoint.Open(_folder["rotated"]);
        Should.Throw<WiscaException>(() => Rescaler.Rescale(rotated, _folder["out"], new RescaleOptions()))
            .Message.ShouldContain("pipe");
    }

    private Checkpoint Write(StreamModel model, string name = "model", Dtype dtype = Dtype.F64)
    {
        model.Write(_folder[name], dtype);
        return Checkpoint.Open(_folder[name]);
    }

    private RotateResult Rotate(Checkpoint model, string name, RotateOptions options) =>
        Rotator.Rotate(model, _folder[name], options);

    private static double[] Values(Checkpoint checkpoint, string name) => StreamModel.Values(checkpoint, name);

    private static double Difference(double[][] left, double[][] right) =>
        left.Zip(right, (x, y) => x.Zip(y, (a, b) => Math.Abs(a - b)).Max()).Max();
}
