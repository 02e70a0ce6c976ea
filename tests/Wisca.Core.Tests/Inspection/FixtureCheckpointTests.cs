using System.Text.Json.Nodes;
using Wisca.Attention;
using Wisca.Certificates;
using Wisca.Checkpoints;
using Wisca.Inspection;
using Wisca.Rescaling;
using Wisca.Tests;
using Wisca.Transitions;

namespace Wisca.Core.Tests.Inspection;

/// <summary>Every small public checkpoint of the data folder: inspected, rescaled, certified, undone.</summary>
public sealed class FixtureCheckpointTests
{
    /// <summary>Weight files that are no checkpoints of a Transformer, and why.</summary>
    private static readonly Dictionary<string, string> NotCheckpoints = new()
    {
        ["hf-arch-tiny/tiny_lora_base.safetensors"] = "one linear layer for an adapter to sit on, without a configuration",
        ["hf-arch-tiny/tiny_lora_adapter.safetensors"] = "a LoRA adapter, not a model",
        ["mlxd-bf16/tiny_llama3_tied/model.safetensors"] = "packed in 4 bits: refused, see its own test",
    };

    /// <summary>Weight file (or index) and configuration of every checkpoint, below fixtures.</summary>
    private static readonly (string Weights, string Config)[] All =
    [
        .. ((string[])["llama", "mistral", "mixtral", "qwen2", "gptneox", "phi", "falcon_mq", "gemma", "opt", "olmo2", "cohere"])
            .Select(name => ($"hf-arch-tiny/tiny_{name}.safetensors", $"hf-arch-tiny/tiny_{name}_config.json")),
        ("hf-arch-tiny/tiny_gpt2.safetensors", "hf-arch-tiny/tiny_gpt2_logits.json"),
        ("hf-arch-tiny/tiny_llama.safetensors.index.json", "hf-arch-tiny/tiny_llama_config.json"),
        .. ((string[])["llama3", "mistral", "qwen3", "gemma3"])
            .Select(name => ($"mlxd-bf16/tiny_{name}/model.safetensors", $"mlxd-bf16/tiny_{name}/config.json")),
        ("paged-infer-llama-bf16/tiny_llama.safetensors", "paged-infer-llama-bf16/config.json"),
    ];

    public static TheoryData<string> Checkpoints => [.. All.Select(entry => entry.Weights)];

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void Checkpoint_OfTheFixtures_IsInspectedRescaledCertifiedAndUndone(string weights)
    {
        using var folder = new TemporaryFolder();
        using var model = Open(weights, folder["model"]);
        var inspection = Inspector.Inspect(model);
        bool normalised =
            weights.Contains("olmo2") || weights.Contains("cohere") || weights.Contains("qwen3") || weights.Contains("gemma3");
        foreach (var layer in inspection.Layers)
        {
            layer.Query!.Value.ShouldBeGreaterThan(0);
            layer.ValueOutputRatio!.Value.ShouldBeGreaterThan(0);
            layer.ValueOutputExact.ShouldBe([Granularity.Tensor, Granularity.KvHead, Granularity.Channel]);
            if (normalised) layer.Refusals[TransitionKind.QueryKey].ShouldContain("QK-norm");
            else layer.QueryKeyExact.ShouldContain(Granularity.Pair);
        }

        foreach (var rounding in (FactorRounding[])[FactorRounding.None, FactorRounding.PowerOfTwo])
        {
            var options = new RescaleOptions { QueryKey = Granularity.Pair, ValueOutput = Granularity.Channel, Balance =
                new BalanceOptions(Rounding: rounding) };
            var move = Rescaler.Rescale(model, folder[$"{rounding}"], options).Move!;
            move.Groups.Select(group => group.Transition).Distinct().Count().ShouldBe(normalised ? 1 : 2);
            move.Groups.ShouldContain(group => group.Factor != 1);
            using var rescaled = Checkpoint.Open(folder[$"{rounding}"]);
            var certificate = Certifier.Compare(model, rescaled);
            certificate.Differences.ShouldBeEmpty();
            certificate.Equivalent.ShouldBeTrue();
            certificate.ExpectedExact.ShouldBe(rounding == FactorRounding.PowerOfTwo);
            certificate.ChangedTensors.ShouldBeGreaterThan(0);

            var undone = Undoer.Undo(rescaled, folder[$"{rounding}-undone"]);
            using var back = Checkpoint.Open(folder[$"{rounding}-undone"]);
            Certifier.Compare(model, back).Equivalent.ShouldBeTrue();
            if (rounding == FactorRounding.None) continue;
            undone.RoundedTensors.ShouldBeEmpty();
            foreach (var shard in model.Shards)
                File.ReadAllBytes(folder[$"{rounding}-undone", Path.GetFileName(shard.FullPath)])
                    .ShouldBe(File.ReadAllBytes(shard.FullPath));
        }
    }

    [Fact]
    public void Checkpoint_PackedInFourBits_IsRefusedWithTheReason()
    {
        using var model = Checkpoint.Open(TestData.Require("fixtures", "mlxd-bf16", "tiny_llama3_tied"));
        foreach (var layer in Inspector.Inspect(model).Layers)
        {
            (layer.Query ?? layer.Key ?? layer.Value ?? layer.Output).ShouldBeNull();
            layer.QueryKeyExact.ShouldBeEmpty();
            layer.ValueOutputExact.ShouldBeEmpty();
            foreach (var kind in (TransitionKind[])[.. AttentionGeometry.Kinds])
                layer.Refusals[kind].ShouldContain("comes with biases, scales: packed or adapted weights are not rescaled");
        }

        using var folder = new TemporaryFolder();
        Should.Throw<WiscaException>(() =>
            Rescaler.Rescale(model, folder["out"],
            new RescaleOptions())).Message.ShouldStartWith("no transition applies: qk: self_attn.q_proj comes with");
        Directory.Exists(folder["out"]).ShouldBeFalse();
        Certifier.Compare(model, model).Equivalent.ShouldBeTrue();
    }

    [Fact]
    public void Fixtures_EveryWeightFile_IsTestedOrSaidNotToBeACheckpoint()
    {
        string root = TestData.Require("fixtures");
        string[] found = [.. Directory.EnumerateFiles(root, "*.safetensors", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(root, path)).Where(path => !path.Contains("-of-")).Order()];
        found.ShouldBe(
            All.Select(entry => entry.Weights).Where(weights => weights.EndsWith(".safetensors")).Concat(NotCheckpoints.Keys).Order());
    }

    /// <summary>Lays a checkpoint's flat files out as a model folder.</summary>
    private static Checkpoint Open(string weights, string folder)
    {
        var (_, config) = All.Single(entry => entry.Weights == weights);
        string source = TestData.Require(["fixtures", .. weights.Split('/')]),
            configuration = TestData.Require(["fixtures", .. config.Split('/')]);
        Directory.CreateDirectory(folder);
        if (config.EndsWith("_logits.json"))
        {
            // Saved without a model_type, inside the reference logits.
            var inner = JsonNode.Parse(File.ReadAllText(configuration))!["config"]!.DeepClone();
            inner["model_type"] = "gpt2";
            File.WriteAllText(Path.Combine(folder, "config.json"), inner.ToJsonString());
        }
        else File.Copy(configuration, Path.Combine(folder, "config.json"));

        if (!weights.EndsWith(".index.json"))
        {
            File.Copy(source, Path.Combine(folder, Checkpoint.WeightsName));
            return Checkpoint.Open(folder);
        }

        File.Copy(source, Path.Combine(folder, Checkpoint.IndexName));
        foreach (string shard in Directory.EnumerateFiles(Path.GetDirectoryName(source)!, "*-of-*.safetensors"))
            File.Copy(shard, Path.Combine(folder, Path.GetFileName(shard)));
        return Checkpoint.Open(folder);
    }
}
