using System.Runtime.InteropServices;
using Wisca.Checkpoints;
using Wisca.Models;

namespace Wisca.Tests.Models;

/// <summary>Every family against logits that Hugging Face transformers computed in float64.</summary>
[Collection(TorchCollection.Name)]
public sealed class ReferenceLogitsTests
{
    [Theory]
    [InlineData("llama")]
    [InlineData("llama", true)]
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
    public void Forward_TinyModel_ReproducesReferenceLogits(string name, bool sharded = false)
    {
        using var folder = new TemporaryFolder();
        using var checkpoint = Reference.OpenTiny(name, folder, sharded);
        using Decoder single = Decoder.Load(checkpoint), wide = Decoder.Load(checkpoint, ComputePrecision.F64);
        foreach (var path in Enum.GetValues<AttentionPath>())
        {
            single.AttentionPath = wide.AttentionPath = path;
            foreach (var (tokens, logits) in Reference.TinyLogits(name))
            {
                double s = Reference.RelativeDifference(Reference.Logits(single, tokens), logits), w = Reference.RelativeDifference(Reference.Logits(wide, tokens), logits);
                TestContext.Current.SendDiagnosticMessage($"{name} {path} {s:0.0e+00} {w:0.0e+00}");
                s.ShouldBeLessThan(1e-5);
                w.ShouldBeLessThan(1e-6);
            }
        }
    }

    [Fact]
    public void Forward_BFloat16Llama_ReproducesGoldenLogits()
    {
        using var folder = new TemporaryFolder();
        File.CreateSymbolicLink(folder[Checkpoint.WeightsName], TestData.Require("fixtures", "paged-infer-llama-bf16", "tiny_llama.safetensors"));
        File.Copy(TestData.Require("fixtures", "paged-infer-llama-bf16", "config.json"), folder["config.json"]);
        string list = File.ReadLines(TestData.Require("fixtures", "paged-infer-llama-bf16", "tiny_llama_meta.txt")).Single(line => line.StartsWith("tokens=", StringComparison.Ordinal));
        int[] tokens = [.. list["tokens=".Length..].Split(',').Select(int.Parse)];
        var golden = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(TestData.Require("fixtures", "paged-infer-llama-bf16", "tiny_llama_golden.bin"))).ToArray();
        double[][] expected = [.. golden.Select(logit => (double)logit).Chunk(golden.Length / tokens.Length)];

        using var checkpoint = Checkpoint.Open(folder.FullPath);
        using var decoder = Decoder.Load(checkpoint);
        Reference.RelativeDifference(Reference.Logits(decoder, tokens), expected).ShouldBeLessThan(1e-5);
    }
}
