using Wisca.Tests;
using Wisca.Training.Checkpointing;

namespace Wisca.Cli.Tests.Training;

/// <summary>Runs that go on from a checkpoint in a process of their own.</summary>
public sealed class ResumeTests
{
    [Theory]
    [InlineData(1, "llama", "", "wisca: {preset: origin}")]
    [InlineData(2, "llama", "", "accumulation: 2\nema: 0.8\nwisca: {every: 2, round: none, transport_epsilon: true}")]
    [InlineData(2, "mixtral", TinyRun.Mixtral, "wisca: {qk: kv-head, vo: kv-head, at: [4, 8], every: 0, round: none}")]
    public void Train_Resumed_EndsWithTheBytesOfARunThatDidNotStop(int times, string modelType, string model, string further)
    {
        using var folder = new TemporaryFolder();
        string[] command =
        [
            "train", "--config", TinyRun.Write(folder, 9, modelType, model, $"checkpoints: {{every: 3, keep: 9}}\n{further}"),
        ];
        WiscaProcess.Run(command);
        string[] runs = [.. new[] { "run", "second", "third" }.Take(times + 1).Select(name => folder[name])];
        for (int resumed = 1; resumed < runs.Length; resumed++)
        {
            // The third run goes on from what the second, itself resumed, had stored.
            int step = 3 * resumed;
            WiscaProcess.Run([
                .. command,
                "--resume",
                RunFolder.CheckpointPath(runs[resumed - 1], step),
                "--set",
                $"output={runs[resumed]}",
            ]);
            for (int later = step + 3; later <= 9; later += 3)
                TinyRun
                    .Contents(RunFolder.CheckpointPath(runs[resumed], later))
                    .ShouldBe(TinyRun.Contents(RunFolder.CheckpointPath(runs[0], later)), $"run {resumed} step {later}");
            var lines = TinyRun.Metrics(runs[resumed]);
            lines.ShouldBe(TinyRun.Metrics(runs[0], after: step));
            lines
                .Any(line => line.Contains("wisca/groups", StringComparison.Ordinal))
                .ShouldBe(!further.Contains("origin", StringComparison.Ordinal));
        }
    }
}
