using System.Text.Json.Nodes;
using Wisca.Cli.Tests.Training;
using Wisca.Tests;
using Wisca.Training.Checkpointing;
using Wisca.Training.Configuration;

namespace Wisca.Cli.Tests.Verbs;

[Collection(nameof(TorchCollection))]
public sealed class TrainVerbTests
{
    [Fact]
    public async Task Train_ThenRescale_VerifiesAsTheSameFunction()
    {
        using var folder = new TemporaryFolder();
        string config = TinyRun.Write(folder, 4);
        var run = await CommandRun.RunAsync("train", "--config", config, "--json");
        run.ExitCode.ShouldBe(0, run.Error);
        var result = JsonNode.Parse(run.Output)!;
        string checkpoint = RunFolder.CheckpointPath(folder["run"], 4);
        ((string)result["checkpoint"]!).ShouldBe(checkpoint);
        ((int)result["step"]!).ShouldBe(4);
        ((bool)result["interrupted"]!).ShouldBeFalse();
        double perplexity = Math.Exp((double)result["held_out_loss"]!);
        ((double)result["perplexity"]!).ShouldBe(perplexity, 1e-12 * perplexity);
        (await CommandRun.RunAsync("rescale", checkpoint, "--out", folder["rescaled"])).ExitCode.ShouldBe(0);
        (await CommandRun.RunAsync("verify", checkpoint, folder["rescaled"], "--tokens", "60")).ExitCode.ShouldBe(0);
    }

    [Fact]
    public async Task Train_SeveralMistakes_AreReportedAtOnce()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["run.yaml"], "stps: 3\noptimizer: {name: adam, learning_rate: -1}\nwisca: {evry: 2}\n");
        var run = await CommandRun.RunAsync("train", "--config", folder["run.yaml"]);
        run.ExitCode.ShouldBe(1);
        run.Output.ShouldBeEmpty();
        foreach (string named in (string[])["stps", "optimizer.name", "optimizer.learning_rate", "wisca.evry"])
            run.Error.ShouldContain(named);
        run.ErrorLines.Count(line => line.StartsWith("wisca: ", StringComparison.Ordinal)).ShouldBe(1);
    }

    [Fact]
    public async Task Train_Diverging_FailsWithOneLineThatNamesTheLastGoodCheckpoint()
    {
        using var folder = new TemporaryFolder();
        string config = TinyRun.Write(folder, 3, further: "checkpoints: {every: 1, keep: 9}");
        (await CommandRun.RunAsync("train", "--config", config)).ExitCode.ShouldBe(0);
        var run = await CommandRun.RunAsync("train", "--config", config, "--set", "steps=9", "optimizer.learning_rate=1e25");
        run.ExitCode.ShouldBe(1);
        run.Output.ShouldBeEmpty();
        run.ErrorLines.Single(line => line.StartsWith("wisca: ", StringComparison.Ordinal))
            .ShouldEndWith($"the last good checkpoint is {RunFolder.CheckpointPath(folder["run"], 3)}");
        run.ErrorLines[^1].ShouldStartWith("hint: ");
    }

    [Fact]
    public async Task Train_ResumeFromWhatIsNoCheckpoint_Fails()
    {
        using var folder = new TemporaryFolder();
        (await CommandRun.RunAsync("train", "--config", TinyRun.Write(folder, 3), "--resume", folder["nothing"])).ShouldFail(
            Path.Combine(folder["nothing"], "training", "state.json"));
    }

    [Fact]
    public async Task Train_PrintConfig_PrintsWhatReadsBack()
    {
        using var folder = new TemporaryFolder();
        var run = await CommandRun.RunAsync("train", "--config", TinyRun.Write(folder, 3), "--print-config");
        run.ExitCode.ShouldBe(0, run.Error);
        File.WriteAllText(folder["printed.yaml"], run.Output);
        TrainingConfig.Load(folder["printed.yaml"]).ToYaml(false).ShouldBe(TrainingConfig.Load(folder["run.yaml"]).ToYaml(false));
        Directory.Exists(folder["run"]).ShouldBeFalse();
    }
}
