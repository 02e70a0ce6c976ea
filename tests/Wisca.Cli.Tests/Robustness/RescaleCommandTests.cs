using System.Text.Json.Nodes;
using Wisca.Tests;

namespace Wisca.Cli.Tests.Robustness;

/// <summary>What the command line says and refuses around the output folder.</summary>
public sealed class RescaleCommandTests : IDisposable
{
    private static readonly string[] LeftOut =
    [
        "consolidated.00.pth", "model.gguf", "optimizer.pt", "pytorch_model-00001-of-00002.bin", "pytorch_model.bin",
    ];
    private readonly TemporaryFolder _folder = new();

    public RescaleCommandTests() => new SmallLlama().Write(_folder["model"]);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("model", "is the input folder itself")]
    [InlineData("model/../model/", "is the input folder itself")]
    [InlineData("model/sub", "lies inside the input folder")]
    [InlineData(".", "contains the input folder")]
    [InlineData("missing/out", "the folder of output")]
    [InlineData("file", "is a file")]
    [InlineData("full", "exists")]
    public async Task RescaleAndUndo_PlaceThatIsNotAllowed_FailsWithOneLine(string place, string expected)
    {
        File.WriteAllText(_folder["file"], "x");
        Directory.CreateDirectory(_folder["full"]);
        File.WriteAllText(_folder["full", "mine.txt"], "mine");
        string path = Path.Combine(_folder.FullPath, place);
        string[] before = Entries();
        (await CommandRun.RunAsync("rescale", _folder["model"], "--out", path)).ShouldFail(expected);
        if (place == "full")
            (await CommandRun.RunAsync("rescale", _folder["model"], "--out", path, "--force")).ShouldFail("is not from wisca");
        Entries().ShouldBe(before);

        await CommandRun.RunAsync("rescale", _folder["model"], "--out", _folder["scaled"]);
        Directory.Delete(_folder["model"], recursive: true);
        Directory.Move(_folder["scaled"], _folder["model"]);
        before = Entries();
        (await CommandRun.RunAsync("undo", _folder["model"], "--out", path)).ShouldFail(expected);
        Entries().ShouldBe(before);
    }

    [Fact]
    public async Task Undo_ModelThatWasNeverRescaled_FailsWithOneLine()
    {
        (await CommandRun.RunAsync("undo", _folder["model"], "--out", _folder["out"])).ShouldFail("has no wisca.json");
        Entries().Length.ShouldBe(3);
    }

    [Fact]
    public async Task Rescale_FilesThatWouldNotMatch_AreNamedAndNotCopied()
    {
        foreach (string name in LeftOut) File.WriteAllText(_folder["model", name], "old");
        File.WriteAllText(_folder["model", "tokenizer.json"], "{}");
        var plain = await CommandRun.RunAsync("rescale", _folder["model"], "--out", _folder["plain"]);
        plain.ExitCode.ShouldBe(0);
        foreach (string name in LeftOut) plain.Output.ShouldContain($"not copied: {name}: ");

        var json = await CommandRun.RunAsync("rescale", _folder["model"], "--out", _folder["json"], "--json");
        json.ExitCode.ShouldBe(0);
        JsonNode.Parse(json.Output)!["not_copied"]!.AsArray().Select(entry => (string)entry!["path"]!).ShouldBe(LeftOut);
        foreach (string output in (string[])["plain", "json"])
            Directory
                .EnumerateFiles(_folder[output])
                .Select(path => Path.GetFileName(path))
                .Order()
                .ShouldBe(["config.json", "model.safetensors", "tokenizer.json", "wisca.json"]);

        var undo = await CommandRun.RunAsync("undo", _folder["json"], "--out", _folder["undone"]);
        undo.ExitCode.ShouldBe(0, undo.Error);
    }

    [Fact]
    public async Task Rescale_ElementsOfF16ThatLoseBits_AreRoundedToldAndGivenBack()
    {
        new SmallLlama { Dtype = "F16", Deviation = (projection, _) => projection == "q" ? 0.02 : 0.002 }.Write(_folder["half"]);
        string[] arguments = ["rescale", _folder["half"], "--vo", "none", "--qk", "tensor"];
        var run = await CommandRun.RunAsync([.. arguments, "--out", _folder["out"]]);
        run.ExitCode.ShouldBe(0, run.Error);
        run.Output.ShouldNotContain("bit-identical");
        run.Output.ShouldMatch(
            @"rounded: \d+ elements of 2 tensors \([\d.]+% of them\) lose bits, which wisca\.json keeps, in [\d.]+ kB, for undo");
        run.Output.ShouldContain("powers of two: equal to rounding (of those elements alone), and undo gives the bytes back");
        var json = await CommandRun.RunAsync([.. arguments, "--out", _folder["json"], "--json"]);
        var report = JsonNode.Parse(json.Output)!;
        ((bool)report["bit_exact"]!).ShouldBeFalse();
        ((int)report["rounded"]!["elements"]!).ShouldBeGreaterThan(0);
        ((double)report["rounded"]!["share"]!).ShouldBeInRange(1e-4, 0.5);
        ((int)report["rounded"]!["ledger_bytes"]!).ShouldBeInRange(1, (int)new FileInfo(_folder["out", "wisca.json"]).Length);
        var dry = await CommandRun.RunAsync([.. arguments, "--dry-run", "--json"]);
        JsonNode.Parse(dry.Output)!["rounded"]!["elements"]!.ToJsonString().ShouldBe(report["rounded"]!["elements"]!.ToJsonString());
        var undo = await CommandRun.RunAsync("undo", _folder["out"], "--out", _folder["back"]);
        undo.Output.ShouldContain("bit for bit: 4 tensors");
        File.ReadAllBytes(_folder["back", TestCheckpoint.Weights]).ShouldBe(File.ReadAllBytes(_folder["half", TestCheckpoint.Weights]));
    }

    [Fact]
    public async Task Rescale_WhatIsAskedForIsNotDone_ExitsWithOne()
    {
        new SmallLlama { Dtype = "F16", Deviation = (projection, _) => projection == "q" ? 0.02 : 0.002 }.Write(_folder["half"]);
        foreach (string[] asked in (string[][])[["--qk", "tensor", "--vo", "none"], ["--layers", "0", "--preset", "qk_ten"]])
        {
            var run = await CommandRun.RunAsync(["rescale", _folder["half"], "--out", _folder["out"], "--lossless", .. asked]);
            run.ExitCode.ShouldBe(1);
            run.ErrorLines[0].ShouldMatch("^wisca: .*would lose bits in F16");
            run.ErrorLines[1].ShouldStartWith("hint: leave --lossless out");
            Directory.Exists(_folder["out"]).ShouldBeFalse();
        }

        var old = await CommandRun.RunAsync("rescale", _folder["half"], "--out", _folder["out"], "--allow-lossy");
        old.ExitCode.ShouldBe(2);
        old.ErrorLines[0].ShouldBe("wisca: --allow-lossy is what rescale does without it: leave it out (--lossless is the opposite).");
    }

    [Fact]
    public async Task Verbose_Failure_ShowsTheStackAndExitsWithOne()
    {
        var run = await CommandRun.RunAsync("inspect", _folder["missing"], "--verbose");
        run.ExitCode.ShouldBe(1);
        run.Error.ShouldContain("   at Wisca.Checkpoints.Checkpoint.Open");
        run.ErrorLines.ShouldContain(line =>
            line.StartsWith("wisca: ", StringComparison.Ordinal) && line.EndsWith("missing does not exist", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("--layers", "9")]
    [InlineData("--layers", "a")]
    [InlineData("--threads", "0")]
    [InlineData("--max-log2", "0")]
    [InlineData("--criterion", "l3")]
    [InlineData("--wrong", "1")]
    public async Task Rescale_WrongUsage_ExitsWithTwoAndWritesNothing(string option, string value)
    {
        var run = await CommandRun.RunAsync("rescale", _folder["model"], "--out", _folder["out"], option, value);
        run.ExitCode.ShouldBe(2);
        run.Output.ShouldBeEmpty();
        run.ErrorLines.Length.ShouldBeInRange(1, 2);
        Directory.EnumerateFileSystemEntries(_folder.FullPath).Count().ShouldBe(1);
    }

    private string[] Entries() =>
        [.. Directory.EnumerateFileSystemEntries(_folder.FullPath, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
}
