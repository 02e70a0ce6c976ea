using System.Text.Json;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Verbs;

[Collection(nameof(TorchCollection))]
public sealed class VerifyVerbTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Verify_ExactFactors_IsEquivalentByBothProofs()
    {
        await Model();
        (await CommandRun.RunAsync("rescale", _folder["demo", "model"], "--out", _folder["out"])).ExitCode.ShouldBe(0);
        var run = await CommandRun.RunAsync("verify", _folder["demo", "model"], _folder["out"], "--tokens", "64");
        run.ExitCode.ShouldBe(0, run.Output);
        run.Output.ShouldContain("certificate    equivalent");
        run.Output.ShouldContain("forward proof  equivalent on 64 random tokens, in float64");
        run.Output.ShouldContain(" times what rounding the changed weights does (allowed 3), ");
    }

    [Fact]
    public async Task Verify_Json_HoldsBothProofs()
    {
        await Model();
        var run = await CommandRun.RunAsync(
            "verify", _folder["demo", "model"], _folder["demo", "exact"], "--tokens", "64", "--seed", "3", "--json");
        run.ExitCode.ShouldBe(0, run.Output);
        var json = JsonDocument.Parse(run.Output).RootElement;
        json.GetProperty("certificate").GetProperty("expected_exact").GetBoolean().ShouldBeTrue();
        json.GetProperty("certificate").GetProperty("query_key_error").GetDouble().ShouldBe(0);
        json.GetProperty("forward").GetProperty("bit_identical").GetBoolean().ShouldBeTrue();
        json.GetProperty("forward").GetProperty("tokens").GetInt32().ShouldBe(64);
    }

    [Fact]
    public async Task Verify_RotatedModel_SaysWhichSpacesAreTurnedAndNamesWhatIsNot()
    {
        await Model();
        (await CommandRun.RunAsync("rotate", _folder["demo", "model"], "--stream", "random", "--heads", "random", "--out", _folder["out"]))
            .ExitCode.ShouldBe(0);
        File.Delete(_folder["out", "wisca.json"]);
        var run = await CommandRun.RunAsync("verify", _folder["demo", "model"], _folder["out"], "--tokens", "64");
        run.ExitCode.ShouldBe(0, run.Output);
        run.Output.ShouldContain("certificate    equivalent");
        run.Output.ShouldContain("the residual stream is turned");
        run.Output.ShouldContain("layers.0.vo.0");
        run.Output.ShouldContain("forward proof  equivalent");

        run = await CommandRun.RunAsync("verify", _folder["demo", "model"], _folder["out"], "--json");
        var rotation = JsonDocument.Parse(run.Output).RootElement.GetProperty("certificate").GetProperty("rotation");
        rotation.GetProperty("spaces").EnumerateArray().Select(space => space.GetString()).ShouldContain("stream");
        rotation.GetProperty("stream_error").GetDouble().ShouldBeInRange(1e-9, rotation.GetProperty("stream_tolerance").GetDouble());

        string weights = _folder["out", "model.safetensors"];
        byte[] bytes = File.ReadAllBytes(weights);
        int at = bytes.AsSpan().IndexOf(TestCheckpoint.Read(_folder["out"])["model.layers.1.mlp.down_proj.weight"].Bytes);
        bytes[at + 3] ^= 0x81;
        File.WriteAllBytes(weights, bytes);
        run = await CommandRun.RunAsync("verify", _folder["demo", "model"], _folder["out"]);
        run.ExitCode.ShouldBe(1);
        run.Output.ShouldContain("tensor 'model.layers.1.mlp.down_proj.weight' is not the first's in the basis of the second: at [0, 0]");
    }

    [Fact]
    public async Task Verify_OneElementChanged_Exit1ByBothProofs()
    {
        await Model();
        string weights = _folder["demo", "exact", "model.safetensors"];
        byte[] bytes = File.ReadAllBytes(weights);
        int at = bytes.AsSpan().IndexOf(TestCheckpoint.Read(_folder["demo", "exact"])["model.layers.1.self_attn.v_proj.weight"].Bytes);
        bytes[at + 3] ^= 0x81;
        File.WriteAllBytes(weights, bytes);
        var run = await CommandRun.RunAsync("verify", _folder["demo", "model"], _folder["demo", "exact"], "--tokens", "64");
        run.ExitCode.ShouldBe(1);
        run.Output.ShouldContain("certificate    NOT equivalent");
        run.Output.ShouldContain("forward proof  NOT equivalent");
        run.Output.ShouldNotContain("the two differ");
    }

    /// <summary>Key biases of hundreds: the logits differ by 6e-4 of the largest in float32, by a hundredth of that in float64.</summary>
    [Fact]
    public async Task Verify_LargeKeyBiases_AreNoReasonToSuspectAnything()
    {
        string model = TestData.Require("cases", "verify-false-alarm-qwen2-bias", "model");
        (await CommandRun.RunAsync("rescale", model, "--out", _folder["out"])).ExitCode.ShouldBe(0);
        for (int seed = 0; seed < 5; seed++)
        {
            var run = await CommandRun.RunAsync("verify", model, _folder["out"], "--tokens", "64", "--seed", $"{seed}", "--json");
            run.ExitCode.ShouldBe(0, run.Output);
            var forward = JsonDocument.Parse(run.Output).RootElement.GetProperty("forward");
            forward.GetProperty("precision").GetString().ShouldBe("float64");
            forward.GetProperty("rounding").GetProperty("ratio").GetDouble().ShouldBeInRange(0.3, 1.2);
            forward.GetProperty("rounding").GetProperty("allowed_ratio").GetDouble().ShouldBe(3);
        }
    }

    [Fact]
    public async Task Verify_CertificateAloneSeesADifference_SaysWhichToBelieve()
    {
        await Model();
        string config = _folder["demo", "exact", "config.json"];
        File.WriteAllText(config, File.ReadAllText(config).TrimEnd().TrimEnd('}') + ", \"some_key\": 1}");
        var run = await CommandRun.RunAsync("verify", _folder["demo", "model"], _folder["demo", "exact"], "--tokens", "64");
        run.ExitCode.ShouldBe(1, run.Output);
        run.Output.ShouldContain("config.json differs at 'some_key'");
        run.Output.ShouldContain("the two differ  believe the certificate");
        string.Join(' ', run.Output.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)).ShouldContain("changes no bit");
    }

    /// <summary>A table that pairs RoPE's channels in the other way makes a wrong exchange, and a certificate that approves it.</summary>
    [Fact]
    public async Task Verify_WrongTable_ForwardProofIsToBeBelieved()
    {
        await Model();
        string table = TestRepository.ReadText("src", "Wisca.Core", "Architectures", "Tables", "llama.json");
        File.WriteAllText(_folder["table.json"], table.Replace("\"half\"", "\"interleaved\"", StringComparison.Ordinal));
        (await CommandRun.RunAsync(
            "rescale", _folder["demo", "model"], "--out", _folder["out"], "--qk", "pair", "--architecture", _folder["table.json"]))
            .ExitCode.ShouldBe(0);
        string[] verify = ["verify", _folder["demo", "model"], _folder["out"], "--tokens", "64", "--architecture", _folder["table.json"]];
        var run = await CommandRun.RunAsync(verify);
        run.ExitCode.ShouldBe(1, run.Output);
        run.Output.ShouldContain("certificate    equivalent");
        run.Output.ShouldContain("forward proof  NOT equivalent: logits differ by up to");
        run.Output.ShouldContain("the two differ  believe the forward proof");
        run = await CommandRun.RunAsync([.. verify, "--json"]);
        JsonDocument.Parse(run.Output).RootElement.GetProperty("disagreement").GetString()!.ShouldStartWith("believe the forward proof");
    }

    [Fact]
    public async Task Verify_CertificateAlone_SaysHowToAskForMore()
    {
        await Model();
        var run = await CommandRun.RunAsync("verify", _folder["demo", "model"], _folder["demo", "balanced"]);
        run.ExitCode.ShouldBe(0);
        run.Output.ShouldContain("not asked for (--text FILE or --tokens N)");
    }

    [Theory]
    [InlineData("\"model_type\": \"internlm\"", "config.json: model_type 'internlm' has no forward pass here")]
    [InlineData(
        "\"model_type\": \"llama\", \"rope_scaling\": { \"rope_type\": \"spiral\" }",
        "config.json: rope_scaling.rope_type is 'spiral', which the forward pass does not have")]
    public async Task Verify_ModelWithoutForwardPass_SaysSoAndTheCertificateDecides(string keys, string reason)
    {
        await Model();
        foreach (string name in (string[])["model", "exact"])
        {
            string config = _folder["demo", name, "config.json"], json = File.ReadAllText(config);
            json.ShouldContain("\"model_type\": \"llama\"");
            File.WriteAllText(config, json.Replace("\"model_type\": \"llama\"", keys, StringComparison.Ordinal));
        }

        string[] verify = ["verify", _folder["demo", "model"], _folder["demo", "exact"], "--tokens", "64"];
        var run = await CommandRun.RunAsync(verify);
        run.ExitCode.ShouldBe(0, run.Error);
        run.Output.ShouldContain("certificate    equivalent");
        string.Join(' ', run.Output.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
            .ShouldContain($"forward proof none, the certificate stands by itself: {reason}");
        run = await CommandRun.RunAsync([.. verify, "--json"]);
        var result = JsonDocument.Parse(run.Output).RootElement;
        result.GetProperty("equivalent").GetBoolean().ShouldBeTrue();
        result.GetProperty("forward").ValueKind.ShouldBe(JsonValueKind.Null);
        result.GetProperty("no_forward_pass").GetString()!.ShouldStartWith(reason);
    }

    [Fact]
    public async Task Verify_Text_UsesTheModelsOwnTokenizer()
    {
        string model = TestData.Require("models", "TinyStories-656K");
        string text = _folder["text.txt"];
        File.WriteAllText(text, "Once upon a time, a small fox found a shiny red kite. \"Whose is it?\" she asked.");
        (await CommandRun.RunAsync("rescale", model, "--out", _folder["out"], "--round", "pow2")).ExitCode.ShouldBe(0);
        var run = await CommandRun.RunAsync("verify", model, _folder["out"], "--text", text);
        run.ExitCode.ShouldBe(0);
        run.Output.ShouldContain($"forward proof  bit-identical on");
        run.Output.ShouldContain($"tokens of {text}");
    }

    [Fact]
    public async Task Verify_LogitsThatHardlyDiffer_DivergenceIsNotNegative()
    {
        string fixtures = TestData.Require("fixtures", "hf-arch-tiny");
        Directory.CreateDirectory(_folder["model"]);
        File.Copy(Path.Combine(fixtures, "tiny_olmo2_config.json"), _folder["model", "config.json"]);
        File.Copy(Path.Combine(fixtures, "tiny_olmo2.safetensors"), _folder["model", "model.safetensors"]);
        (await CommandRun.RunAsync("rescale", _folder["model"], "--out", _folder["out"])).ExitCode.ShouldBe(0);
        foreach (string tokens in (string[])["8", "20", "32"])
        {
            var run = await CommandRun.RunAsync("verify", _folder["model"], _folder["out"], "--tokens", tokens, "--json");
            JsonDocument
                .Parse(run.Output)
                .RootElement.GetProperty("forward")
                .GetProperty("kl_divergence")
                .GetDouble()
                .ShouldBeGreaterThanOrEqualTo(0);
        }
    }

    [Fact]
    public async Task Verify_TextWithoutTokenizer_Fails()
    {
        await Model();
        File.WriteAllText(_folder["text.txt"], "words");
        (await CommandRun.RunAsync("verify", _folder["demo", "model"], _folder["demo", "exact"], "--text", _folder["text.txt"])).ShouldFail(
            "no tokenizer");
        (await CommandRun.RunAsync("verify", _folder["demo", "model"], _folder["demo", "exact"], "--text", _folder["none.txt"])).ShouldFail(
            "none.txt does not exist");
    }

    /// <summary>The demo's models, kept.</summary>
    private async Task Model() => (await CommandRun.RunAsync("demo", "--steps", "0", "--out", _folder["demo"])).ExitCode.ShouldBe(0);
}
