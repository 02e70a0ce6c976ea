using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Wisca.Checkpoints;
using Wisca.Data.Tokenizers.Training;
using Wisca.Tests;
using Wisca.Torch.Models;

namespace Wisca.Cli.Tests.Verbs;

[Collection(nameof(TorchCollection))]
public sealed class FlatnessVerbTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public FlatnessVerbTests()
    {
        WriteModel("model", 1);
        File.WriteAllText(_folder["text.txt"], "The fox ran up the hill. The hill was high, and the fox was red. So was the sun.");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Flatness_Default_MeasuresAllThatNeedsNothingMore()
    {
        var run = await RunAsync("--trace-probes", "8", "--eigenvalues", "1", "--lanczos-steps", "4");
        run.ExitCode.ShouldBe(0, run.Error);
        foreach (
            string line in (string[])
                [
                    "loss ", "eigenvalue 1", "trace", "plain sharpness, r 0.05", "adaptive sharpness, r 0.5",
                    "cosine of gradients, eta 0.1", "qk 0", "vo 1", "invariant adaptive sharpness",
                    "moves     trace: a / s^2 + b s^2 + the rest",
                ])
            run.Output.ShouldContain(line);
        run.Output.ShouldContain("eigenvalues did not converge in 4 steps");
        run.ErrorLines.ShouldBe(["eigenvalues ...", "trace ...", "sharpness ...", "gradients ...", "pairs ..."]);
    }

    [Fact]
    public async Task Flatness_Orbit_IsWrittenAsTableJsonAndCsv()
    {
        string[] orbit = ["--orbit", "qk", "--layer", "1", "--orbit-range", "1", "--orbit-probes", "2", "--lanczos-steps", "3"];
        var run = await RunAsync([.. orbit, "--json", "--out", _folder["orbit.csv"]]);
        run.ExitCode.ShouldBe(0, run.Error);
        var json = JsonNode.Parse(run.Output)!["orbit"]!;
        ((double)json["max_loss_difference"]!).ShouldBe(0);

        // Relative to the trace, in float32: products of second derivatives are sums of differences of some 100 times their size.
        ((double)json["max_trace_deviation"]!).ShouldBeLessThan(100 * Rounding.Of(Rounding.Float32, 1000));
        json["points"]!.AsArray().Select(point => (int)point!["log2"]!).ShouldBe([-1, 0, 1]);
        json["marks"]!.AsArray().Select(mark => (string)mark!["criterion"]!).ShouldBe(["l1", "l1-mean", "l2", "rms", "spectral", "fisher"]);

        // Where l1 lands is the factor that rescaling applies.
        var rescaled = await CommandRun.RunAsync("rescale", _folder["model"], "--dry-run", "--qk", "tensor", "--layers", "1", "--json");
        double factor = JsonDocument.Parse(rescaled.Output).RootElement.GetProperty("groups")[0].GetProperty("factor").GetDouble();
        ((double)json["marks"]![0]!["log2"]!).ShouldBe(Math.Log2(factor), 1e-9);

        string[] lines = File.ReadAllLines(_folder["orbit.csv"]);
        lines[0].ShouldBe("curve,x,y,quantity,value");
        lines.Count(line => line.StartsWith("orbit,", StringComparison.Ordinal)).ShouldBe(3 * 8);
        lines
            .Where(line => line.StartsWith("orbit,", StringComparison.Ordinal) && line.Contains(",loss,", StringComparison.Ordinal))
            .Select(line => line.Split(',')[4])
            .Distinct()
            .Count()
            .ShouldBe(1);
        Directory
            .EnumerateFileSystemEntries(_folder.FullPath)
            .Select(Path.GetFileName)
            .Order()
            .ShouldBe(["model", "orbit.csv", "text.txt"]);

        string shown = (await RunAsync(orbit)).Output;
        shown.ShouldContain("orbit of qk in layer 1; the model is at log2 s = 0");

        // Drawn in quarters, with each criterion on the line nearest to where it lands.
        string[] drawn = [.. shown[shown.IndexOf("trace of the pair against log2 s", StringComparison.Ordinal)..].Split('\n')[1..10]];
        drawn
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[0])
            .ShouldBe(["-1.00", "-0.75", "-0.50", "-0.25", "0.00", "0.25", "0.50", "0.75", "1.00"]);
        drawn[4].ShouldContain("here");
        int nearest = (int)Math.Round(Math.Clamp(Math.Log2(factor), -1, 1) * 4) + 4;
        drawn[nearest].Split(' ', ',').ShouldContain("l1");
    }

    [Fact]
    public async Task Flatness_SliceAndBetween_DrawTheLoss()
    {
        WriteModel("other", 2);
        var run = await RunAsync("--slice", "1d", "--between", _folder["other"], "--points", "5", "--out", _folder["all.json"]);
        run.ExitCode.ShouldBe(0, run.Error);
        run.Output.ShouldContain("slice-1d: loss from ");
        run.Output.ShouldNotContain("trace");
        var curves = JsonNode.Parse(File.ReadAllText(_folder["all.json"]))!["curves"]!.AsArray();
        curves.Select(curve => (string)curve!["kind"]!).ShouldBe(["slice-1d", "between"]);
        double loss = (double)JsonNode.Parse(File.ReadAllText(_folder["all.json"]))!["loss"]!;
        ((double)curves[0]!["points"]![2]!["loss"]!).ShouldBe(loss);
        ((double)curves[1]!["points"]![1]!["loss"]!).ShouldBe(loss, Rounding.Of(Rounding.Float32, 500) * loss);
        run.Output.ShouldContain(loss.ToString("0.00000", CultureInfo.InvariantCulture));

        var plane = await RunAsync("--slice", "2d", "--points", "3", "--measure", "sam");
        plane.Output.ShouldContain("plain sharpness");
        plane.Output.ShouldContain("slice-2d: loss from ");
        (await RunAsync("--slice", "1d", "--out", _folder["all.json"])).ShouldFail("all.json exists");
        (await RunAsync("--slice", "1d", "--out", _folder["all.json"], "--force", "--points", "2")).ExitCode.ShouldBe(0);
    }

    [Theory]
    [InlineData("--orbit needs a layer", "--orbit", "qk")]
    [InlineData("--layer is the layer of an orbit", "--layer", "1")]
    [InlineData("--measure does not know 'hessian'", "--measure", "trace,hessian")]
    [InlineData("--eta is '0.1,x'", "--eta", "0.1,x")]
    [InlineData("--out is 'report.txt'", "--out", "report.txt")]
    [InlineData("a .csv file holds curves", "--out", "report.csv")]
    [InlineData("--sam-radius is '0'", "--sam-radius", "0")]
    public async Task Flatness_WrongUsage_Exit2(string message, params string[] arguments)
    {
        var run = await RunAsync(arguments);
        run.ExitCode.ShouldBe(2);
        run.ErrorLines[0].ShouldStartWith($"wisca: {message}");
    }

    [Fact]
    public async Task Flatness_BadInput_IsOneLine()
    {
        (await CommandRun.RunAsync("flatness", _folder["model"], "--text", _folder["none.txt"])).ShouldFail("none.txt");
        (await RunAsync("--orbit", "vo", "--layer", "2")).ShouldFail("layer 2 is not among the model's layers 0 to 1");
        (await RunAsync("--sequence-length", "1000", "--tokens", "60", "--measure", "sam")).Output.ShouldContain(
            "on 60 tokens in windows of 60");
        (await RunAsync("--sequence-length", "65", "--tokens", "65")).ShouldFail(
            "windows of 65 tokens, but the model was made for 64 positions");
        WriteModel("wide", 1, hidden: 64);
        (await RunAsync("--between", _folder["wide"])).ShouldFail("the second model has model.embed_tokens.weight of shape");
        (await RunAsync("--slice", "1d", "--out", _folder["no", "such.json"])).ShouldFail("does not exist");
    }

    /// <summary>Ctrl-C in the middle of the work: exit 1, one line, no file.</summary>
    [Fact]
    public void Flatness_Interrupted_LeavesNothing()
    {
        using var process = WiscaProcess.Start(
            "flatness",
            _folder["model"],
            "--text",
            _folder["text.txt"],
            "--measure",
            "trace",
            "--trace-probes",
            "1000000",
            "--threads",
            "1",
            "--out",
            _folder["report.json"]);
        process.Wait(TimeSpan.FromSeconds(3)).ShouldBeFalse();
        process.Interrupt();
        process.Wait(TimeSpan.FromSeconds(60)).ShouldBeTrue();
        process.ExitCode.ShouldBe(1);
        process.Error.ShouldContain("cancelled");
        process.Output.ShouldBeEmpty();
        Directory.EnumerateFileSystemEntries(_folder.FullPath).Select(Path.GetFileName).Order().ShouldBe(["model", "text.txt"]);
    }

    private Task<CommandRun> RunAsync(params string[] arguments) =>
        CommandRun.RunAsync(["flatness", _folder["model"], "--text", _folder["text.txt"], "--threads", "1", .. arguments]);

    /// <summary>A model that reads bytes.</summary>
    private void WriteModel(string name, ulong seed, int hidden = 16)
    {
        var tokenizer = ByteTokenizer.Create();
        string config = $$"""
            {
              "model_type": "llama", "hidden_size": {{hidden}}, "num_hidden_layers": 2, "num_attention_heads": 4,
              "num_key_value_heads": 2, "intermediate_size": 24, "vocab_size": {{tokenizer.VocabularySize}},
              "max_position_embeddings": 64, "rms_norm_eps": 1e-5
            }
            """;
        using var model = Decoder.Create(
            DecoderConfig.From(ModelConfig.Parse(config)), seed, new InitializationOptions { StandardDeviation = 0.2 });
        model.Save(_folder[name]);
        tokenizer.Save(_folder[name]);
    }
}
