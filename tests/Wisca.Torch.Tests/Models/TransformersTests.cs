using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Checkpoints;
using Wisca.Safetensors;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Generation;
using Wisca.Torch.Models;
using static TorchSharp.torch;

namespace Wisca.Torch.Tests.Models;

/// <summary>
/// Tiny models that transformers made and saved, against what it computes for them in float64: logits, loss, gradients, and what it writes
/// with a cache. See Fixtures/transformers/README.md.
/// </summary>
[Collection(TorchCollection.Name)]
public sealed class TransformersTests
{
    private const string Variable = "WISCA_PYTHON";

    private static readonly string Fixtures = TestRepository.PathOf("tests", "Wisca.Torch.Tests", "Fixtures", "transformers");

    public static TheoryData<string> Cases =>
        [.. Directory.GetFiles(Fixtures, "*.json").Select(path => Path.GetFileNameWithoutExtension(path)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Model_OfTransformers_ComputesTheSame(string name) => Compare(Fixtures, name);

    /// <summary>With another value of a key, the function is another: what is compared depends on what the key says.</summary>
    [Theory]
    [InlineData("phi3", "sliding_window", "4")]
    [InlineData("phi3", "rope_parameters.rope_theta", "400")]
    [InlineData("phi3-longrope", "rope_parameters.long_factor.1", "3.5")]
    [InlineData("phi3-longrope", "max_position_embeddings", "48")]
    [InlineData("gemma2", "attn_logit_softcapping", "null")]
    [InlineData("gemma2", "final_logit_softcapping", "null")]
    [InlineData("gemma2", "query_pre_attn_scalar", "10")]
    [InlineData("gemma2", "layer_types.1", "\"sliding_attention\"")]
    [InlineData("olmoe", "clip_qkv", "null")]
    [InlineData("olmoe", "num_experts_per_tok", "1")]
    [InlineData("olmoe", "norm_topk_prob", "true")]
    [InlineData("granite", "embedding_multiplier", "1")]
    [InlineData("granite", "residual_multiplier", "1")]
    [InlineData("granite", "logits_scaling", "1")]
    [InlineData("granite", "attention_multiplier", "1")]
    [InlineData("smollm3", "no_rope_layers.0", "0")]
    [InlineData("smollm3", "sliding_window", "3")]
    [InlineData("starcoder2", "sliding_window", "4")]
    [InlineData("starcoder2", "hidden_act", "\"gelu\"")]
    [InlineData("stablelm", "layer_norm_eps", "0.1")]
    [InlineData("glm", "rms_norm_eps", "0.1")]
    [InlineData("rope-linear", "rope_parameters.factor", "2")]
    [InlineData("rope-dynamic", "rope_parameters.factor", "2")]
    [InlineData("rope-llama3", "rope_parameters.low_freq_factor", "2")]
    [InlineData("rope-yarn", "rope_parameters.factor", "2")]
    [InlineData("rope-yarn", "rope_parameters.original_max_position_embeddings", "30")]
    [InlineData("rope-yarn-untruncated", "rope_parameters.truncate", "true")]
    [InlineData("rope-yarn-untruncated", "rope_parameters.beta_slow", "0.3")]
    [InlineData("rope-yarn-untruncated", "rope_parameters.mscale", "0.9")]
    [InlineData("rope-yarn-attention", "rope_parameters.attention_factor", "1")]
    [InlineData("rope-longrope", "rope_parameters.factor", "3")]
    [InlineData("rope-longrope", "rope_parameters.short_factor.3", "2")]
    [InlineData("gemma3", "rope_parameters.full_attention.factor", "2")]
    [InlineData("deepseek_v3", "routed_scaling_factor", "1")]
    [InlineData("deepseek_v3", "topk_group", "3")]
    [InlineData("deepseek_v3", "norm_topk_prob", "false")]
    [InlineData("deepseek_v3", "rope_interleave", "false")]
    [InlineData("deepseek_v3-yarn", "rope_parameters.mscale_all_dim", "1.2")]
    public void Model_WithAnotherValue_ComputesSomethingElse(string name, string key, string value)
    {
        var golden = JsonNode.Parse(File.ReadAllText(Path.Combine(Fixtures, name + ".json")))!.AsObject();
        var config = golden["config"]!.AsObject();
        JsonNode place = config;
        string[] parts = key.Split('.');
        foreach (string part in parts[..^1]) place = place[part]!;
        if (place is JsonArray list) list[int.Parse(parts[^1])] = JsonNode.Parse(value);
        else place[parts[^1]] = JsonNode.Parse(value);
        using var folder = new TemporaryFolder();
        using var checkpoint = Open(Path.Combine(Fixtures, name + ".safetensors"), config, folder["model"]);
        using var decoder = Decoder.Load(checkpoint, ComputePrecision.F64);
        Reference.RelativeDifference(Reference.Logits(decoder, golden["tokens"]!.Deserialize<int[]>()!), Logits(golden))
            .ShouldBeGreaterThan(1e-5);
    }

    /// <summary>The same with other numbers, made on the spot.</summary>
    [Fact]
    public void Model_OfTransformersAtHand_ComputesTheSame()
    {
        string? python = Environment.GetEnvironmentVariable(Variable);
        Assert.SkipWhen(string.IsNullOrEmpty(python), $"{Variable} is not set: it names a Python with transformers");
        using var folder = new TemporaryFolder();
        string[] arguments = [Path.Combine(Fixtures, "make-golden.py"), folder.FullPath, "7"];
        using var process = Process.Start(new ProcessStartInfo(python!, arguments) { RedirectStandardError = true })!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        process.ExitCode.ShouldBe(0, errors);
        string[] made = [.. Directory.GetFiles(folder.FullPath, "*.json").Select(path => Path.GetFileNameWithoutExtension(path))];
        made.Order(StringComparer.Ordinal).ShouldBe(Cases.Select(row => row.Data));
        foreach (string name in made) Compare(folder.FullPath, name);
    }

    private static void Compare(string root, string name)
    {
        var golden = JsonNode.Parse(File.ReadAllText(Path.Combine(root, name + ".json")))!.AsObject();
        var config = golden["config"]!.AsObject();
        using var folder = new TemporaryFolder();
        Compare(Path.Combine(root, name + ".safetensors"), config, golden, folder["written"]);
        if (golden["older"] is not JsonObject older) return;
        foreach (var (key, value) in older)
        {
            config.Remove(key);
            if (value is not null) config[key] = value.DeepClone();
        }

        Compare(Path.Combine(root, name + ".safetensors"), config, golden, folder["older"]);
    }

    private static void Compare(string weights, JsonObject config, JsonObject golden, string folder)
    {
        using var checkpoint = Open(weights, config, folder);
        int[] tokens = golden["tokens"]!.Deserialize<int[]>()!;
        double[][] logits = Logits(golden);
        using (var single = Decoder.Load(checkpoint))
            Reference.RelativeDifference(Reference.Logits(single, tokens), logits)
                .ShouldBeLessThan(PassRounding.OfLogits(single.Config, tokens.Length));
        using var decoder = Decoder.Load(checkpoint, ComputePrecision.F64);
        decoder.named_parameters().Select(entry => entry.name)
            .ShouldBe(golden["gradients"]!.AsObject().Select(entry => entry.Key), ignoreOrder: true);
        CompareSaved(checkpoint, decoder, folder + "-saved");
        foreach (var path in Enum.GetValues<AttentionPath>())
        {
            decoder.AttentionPath = path;
            Reference.RelativeDifference(Reference.Logits(decoder, tokens), logits)
                .ShouldBeLessThan(PassRounding.OfLogits(decoder.Config, tokens.Length, Rounding.Float64));
            CompareLoss(decoder, tokens, golden);
            int[] greedy = golden["greedy"]!.Deserialize<int[]>()!;
            int count = Math.Min(greedy.Length, decoder.Config.MaxPositions - 4);
            TokenGenerator.Generate(decoder, tokens[..4], count, new SamplingOptions { Temperature = 0 }).ShouldBe(greedy[..count]);
            Reference.RelativeDifference([NextInPieces(decoder, tokens)], logits[^1..])
                .ShouldBeLessThan(PassRounding.OfLogits(decoder.Config, tokens.Length, Rounding.Float64));
        }
    }

    private static Checkpoint Open(string weights, JsonObject config, string folder)
    {
        Directory.CreateDirectory(folder);
        File.CreateSymbolicLink(Path.Combine(folder, Checkpoint.WeightsName), weights);
        File.WriteAllText(Path.Combine(folder, "config.json"), config.ToJsonString());
        return Checkpoint.Open(folder);
    }

    private static double[][] Logits(JsonObject golden) => golden["logits"]!.Deserialize<double[][]>()!;

    /// <summary>What is saved is what transformers saved, tensor by tensor and byte by byte.</summary>
    private static void CompareSaved(Checkpoint checkpoint, Decoder decoder, string folder)
    {
        decoder.Save(folder, new SaveOptions { Dtype = Dtype.BF16 });
        using var saved = Checkpoint.Open(folder);
        saved.Tensors.Select(tensor => tensor.Info.Name).ShouldBe(checkpoint.Tensors.Select(tensor => tensor.Info.Name), ignoreOrder: true);
        foreach (var tensor in checkpoint.Tensors) saved.Find(tensor.Info.Name)!.HasBytesOf(tensor).ShouldBeTrue(tensor.Info.Name);
        JsonElement.DeepEquals(saved.Config.Root, checkpoint.Config.Root).ShouldBeTrue();
    }

    /// <summary>The logits behind all tokens, which go through the cache piece by piece.</summary>
    private static double[] NextInPieces(Decoder decoder, int[] tokens)
    {
        using var scope = NewDisposeScope();
        using var cache = new KeyValueCache(decoder, tokens.Length);
        Tensor? next = null;
        for (int at = 0; at < tokens.Length; at += 3)
            next = decoder.Next(
                tensor(Array.ConvertAll(tokens[at..Math.Min(at + 3, tokens.Length)], token => (long)token)).unsqueeze(0), cache);
        return next!.data<double>().ToArray();
    }

    private static void CompareLoss(Decoder decoder, int[] tokens, JsonObject golden)
    {
        using var scope = NewDisposeScope();
        foreach (var parameter in decoder.parameters()) parameter.grad?.zero_();
        var ids = tensor(Array.ConvertAll(tokens, token => (long)token)).unsqueeze(0);
        var targets = full_like(ids, Decoder.IgnoredTarget);
        targets.narrow(1, 0, tokens.Length - 1).copy_(ids.narrow(1, 1, tokens.Length - 1));
        var loss = decoder.Loss(ids, targets);
        (loss.Total.AsDouble() / loss.Targets).ShouldBe(golden["loss"]!.GetValue<double>(), 1e-12);
        (loss.Total / loss.Targets).backward();
        foreach (var (name, parameter) in decoder.named_parameters())
        {
            double[] gradient = (parameter.grad ?? zeros_like(parameter)).contiguous().data<double>().ToArray();
            double along = gradient.Select((value, index) => value * Math.Sin((index * 1.7) + 0.3)).Sum() / Math.Sqrt(gradient.Length);
            along.ShouldBe(golden["gradients"]![name]!.GetValue<double>(), 1e-11, name);
        }
    }
}
