using System.Runtime.InteropServices;
using Wisca.Checkpoints;
using Wisca.Tests;
using Wisca.Tests.Torch;
using Wisca.Torch.Models;

namespace Wisca.Torch.Tests.Models;

/// <summary>Every family against logits that Hugging Face transformers computed in float64.</summary>
[Collection(TorchCollection.Name)]
public sealed class ReferenceLogitsTests
{
    [Theory]
    [InlineData("llama", true)]
    [InlineData("llama", true, true)]
    [InlineData("gpt2", true)]
    [InlineData("mistral")]
    [InlineData("qwen2")]
    [InlineData("gemma")]
    [InlineData("mixtral")]
    [InlineData("gptneox")]
    [InlineData("phi")]
    [InlineData("falcon_mq")]
    [InlineData("opt")]
    [InlineData("olmo2")]
    [InlineData("cohere")]
    public void Forward_TinyModel_ReproducesReferenceLogits(string name, bool wideReference = false, bool sharded = false)
    {
        // Most of the references turned their queries and normalised in float32, whatever the weights were in.
        using var folder = new TemporaryFolder();
        using var checkpoint = Reference.OpenTiny(name, folder, sharded);
        using Decoder single = Decoder.Load(checkpoint), wide = Decoder.Load(checkpoint, ComputePrecision.F64);
        foreach (var path in Enum.GetValues<AttentionPath>())
        {
            single.AttentionPath = wide.AttentionPath = path;
            foreach (var (tokens, logits) in Reference.TinyLogits(name))
            {
                double narrow = PassRounding.OfLogits(single.Config, tokens.Length),
                    exact = PassRounding.OfLogits(single.Config, tokens.Length, Rounding.Float64);
                Reference.RelativeDifference(Reference.Logits(single, tokens), logits).ShouldBeLessThan(narrow);
                Reference.RelativeDifference(Reference.Logits(wide, tokens), logits).ShouldBeLessThan(wideReference ? exact : narrow);
            }
        }
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("mistral")]
    [InlineData("qwen2")]
    [InlineData("gemma")]
    [InlineData("gpt2")]
    [InlineData("mixtral")]
    [InlineData("gptneox")]
    [InlineData("phi")]
    [InlineData("falcon_mq")]
    [InlineData("opt")]
    [InlineData("olmo2")]
    [InlineData("cohere")]
    public void Parameters_TinyModel_AreTheCheckpointsTensors(string name)
    {
        using var folder = new TemporaryFolder();
        using var checkpoint = Reference.OpenTiny(name, folder);
        using var decoder = Decoder.Load(checkpoint);
        string[] buffers = [".attn.bias", ".rotary_emb.inv_freq"];
        var stored = checkpoint.Tensors.Select(tensor => tensor.Info.Name).Where(tensor => !buffers.Any(tensor.EndsWith));
        if (decoder.Config.TiedHead) stored = stored.Where(tensor => tensor != "lm_head.weight");

        // GPT-2 is stored without its root, as it is on the Hub.
        if (name == "gpt2") stored = stored.Select(tensor => "transformer." + tensor);
        decoder.named_parameters().Select(parameter => parameter.name).ShouldBe(stored, ignoreOrder: true);
    }

    [Fact]
    public void Forward_BFloat16Llama_ReproducesGoldenLogits()
    {
        string root = TestData.Require("fixtures", "paged-infer-llama-bf16");
        using var folder = new TemporaryFolder();
        File.CreateSymbolicLink(folder[Checkpoint.WeightsName], Path.Combine(root, "tiny_llama.safetensors"));
        File.Copy(Path.Combine(root, "config.json"), folder["config.json"]);
        const string key = "tokens=";
        string list = File.ReadLines(Path.Combine(root, "tiny_llama_meta.txt"))
            .Single(line => line.StartsWith(key, StringComparison.Ordinal));
        int[] tokens = [.. list[key.Length..].Split(',').Select(int.Parse)];
        var golden = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(root, "tiny_llama_golden.bin"))).ToArray();
        double[][] expected = [.. golden.Select(logit => (double)logit).Chunk(golden.Length / tokens.Length)];

        using var checkpoint = Checkpoint.Open(folder.FullPath);
        using var decoder = Decoder.Load(checkpoint);
        Reference.RelativeDifference(Reference.Logits(decoder, tokens), expected)
            .ShouldBeLessThan(PassRounding.OfLogits(decoder.Config, tokens.Length));
    }
}
